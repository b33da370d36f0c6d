"""DELETE /users/me: withdraw the account; its personal data are destroyed after the retention time (AUTH-018)."""

from common.http.endpoint import endpoint
from common.http.request import Body, User
from functions.auth.domain.account_fields import OfferedPassword
from functions.auth.domain.errors import AccountLocked, InvalidCredentials
from functions.auth.wiring.password_confirmed_changes import password_confirmed_changes


class WithdrawBody(Body):
    password: OfferedPassword


@endpoint(raises=[AccountLocked, InvalidCredentials])
def handler(user: User, body: WithdrawBody) -> None:
    password_confirmed_changes().withdraw(user.id, user.session_id, body.password.get_secret_value())
