"""GET /users/me: the signed-in user's account (AUTH-012)."""

from uuid import UUID

from common.edge import endpoint
from common.model import Model, Moment
from common.problem import TOKEN_INVALID
from common.request import User
from functions.auth.account import Role
from functions.auth.composition import accounts


class MeAnswer(Model):
    id: UUID
    email: str
    name: str
    phone: str | None
    role: Role
    email_verified: bool
    created_at: Moment


@endpoint
def handler(user: User) -> MeAnswer:
    account = accounts().account(user.id)
    if account is None:  # the token outlived its account
        raise TOKEN_INVALID.refusal()
    return MeAnswer(
        id=account.id,
        email=account.email,
        name=account.name,
        phone=account.phone,
        role=account.role,
        email_verified=False,  # until AUTH-022 asks for proof
        created_at=account.created_at,
    )
