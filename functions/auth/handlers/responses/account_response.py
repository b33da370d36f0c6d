"""The logged-in user's own account (`docs/api.md`, Accounts)."""

from common.domain.ids import UserId
from common.domain.model import Model, Moment
from common.domain.shared_errors import TokenInvalid
from functions.auth.domain.account import Account, Role


class AccountResponse(Model):
    id: UserId
    email: str
    name: str
    phone: str | None
    role: Role
    email_verified: bool
    created_at: Moment


def account_response(account: Account | None) -> AccountResponse:
    """Raises TokenInvalid for None: the account ended before the token did."""
    if account is None:
        raise TokenInvalid()
    return AccountResponse(**vars(account))
