"""DELETE /users/me: withdraw the account; its personal data are destroyed after the retention time (AUTH-018).

While tickets to come, holds or payments exist, only with `cancelReservations`: cancels them at the fee of the day.
"""

from pydantic import StrictBool

from common.domain.shared_errors import AccountInUse
from common.http.endpoint import endpoint
from common.http.request import Body, User
from functions.auth.domain.account_fields import OfferedPassword
from functions.auth.domain.errors import AccountLocked, InvalidCredentials
from functions.auth.wiring.password_confirmed_changes import password_confirmed_changes
from functions.auth.wiring.purchases import purchases


class WithdrawBody(Body):
    password: OfferedPassword
    cancel_reservations: StrictBool = False


@endpoint(raises=[AccountLocked, InvalidCredentials, AccountInUse])
def handler(user: User, body: WithdrawBody) -> None:
    password_confirmed_changes().withdraw(
        user.id, user.session_id, body.password.get_secret_value(), purchases(), cancel=body.cancel_reservations
    )
