"""POST /auth/email/correct: replace a mistyped address that was never verified, after PortOne verified the person
(AUTH-023)."""

from typing import Annotated

from pydantic import Field

from common.domain.model import VisibleText
from common.http.endpoint import endpoint
from common.http.request import Body
from functions.auth.domain.account_fields import Email
from functions.auth.domain.errors import EmailTaken, IdentityNotVerified
from functions.auth.wiring.email_correction import email_correction


class CorrectionBody(Body):
    email: Email
    identity_verification_id: Annotated[VisibleText, Field(max_length=200)]


@endpoint(raises=[IdentityNotVerified, EmailTaken])
def handler(body: CorrectionBody) -> None:
    email_correction().correct(body.email, body.identity_verification_id)
