"""A signed-in user's own account (`docs/api.md`, Accounts)."""

from uuid import UUID

from common.domain.model import Model, Moment
from common.domain.shared_errors import TokenInvalid
from functions.auth.domain.account import Account, Role


class AccountAnswer(Model):
    id: UUID
    email: str
    name: str
    phone: str | None
    role: Role
    email_verified: bool
    created_at: Moment


def account_answer(account: Account | None) -> AccountAnswer:
    """Raises TokenInvalid for None: the token outlived its account."""
    if account is None:
        raise TokenInvalid()
    return AccountAnswer(**vars(account))
