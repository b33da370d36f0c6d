"""POST /auth/register: open an account for a verified person (AUTH-001 to AUTH-005)."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from common.domain.ids import UserId
from common.domain.model import Model, VisibleText
from common.domain.shared_errors import CaptchaFailed
from common.http.endpoint import Response, created, endpoint
from common.http.request import Body
from functions.auth.domain.account import Agreement, Role
from functions.auth.domain.account_fields import CaptchaToken, Email, LinkToken, NewPassword, PersonName, Phone
from functions.auth.domain.errors import (
    AgreementRequired,
    AlreadyLinked,
    EmailTaken,
    IdentityNotVerified,
    IdentityTaken,
    OAuthFailed,
    UnderAge,
)
from functions.auth.usecases.registration import RegistrationRequest
from functions.auth.wiring.registration import registration


class AgreementBody(Body):
    code: Literal["TERMS_OF_SERVICE", "PRIVACY", "MARKETING"]
    version: Annotated[VisibleText, StringConstraints(strip_whitespace=True, min_length=1, max_length=20)]
    agreed: StrictBool  # "yes" or 1 is not a consent


class RegisterBody(Body):
    email: Email
    password: NewPassword
    name: PersonName | None = None
    phone: Phone | None = None
    identity_verification_id: Annotated[VisibleText, Field(max_length=200)]
    captcha_token: CaptchaToken
    agreements: Annotated[list[AgreementBody], Field(max_length=10)]
    link_token: LinkToken | None = None

    @field_validator("agreements")
    @classmethod
    def _each_once(cls, agreements: list[AgreementBody]) -> list[AgreementBody]:
        if len({agreement.code for agreement in agreements}) < len(agreements):
            raise PydanticCustomError("repeated_code", "must name each code once")
        return agreements


class RegisteredResponse(Model):
    id: UserId
    email: str
    name: str
    role: Role


@endpoint(
    bot_check=True,
    responses={201: RegisteredResponse},
    raises=[
        AgreementRequired,
        CaptchaFailed,
        IdentityNotVerified,
        UnderAge,
        EmailTaken,
        IdentityTaken,
        OAuthFailed,
        AlreadyLinked,
    ],
)
def handler(body: RegisterBody) -> Response:
    account = registration().register(
        RegistrationRequest(
            email=body.email,
            password=body.password.get_secret_value(),
            name=body.name,
            phone=body.phone,
            agreements=[Agreement(each.code, each.version, each.agreed) for each in body.agreements],
            captcha_token=body.captcha_token.get_secret_value(),
            identity_verification_id=body.identity_verification_id,
            link_token=body.link_token.get_secret_value() if body.link_token else None,
        )
    )
    return created(RegisteredResponse(id=account.id, email=account.email, name=account.name, role=account.role))
