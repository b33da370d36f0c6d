"""PUT /users/me/password: change the password; the user's other sessions end (AUTH-016)."""

from common.http.endpoint import endpoint
from common.http.request import Body, User
from functions.auth.domain.account_fields import NewPassword, OfferedPassword
from functions.auth.domain.errors import AccountLocked, InvalidCredentials
from functions.auth.wiring.password_confirmed_changes import password_confirmed_changes


class PasswordChangeBody(Body):
    current_password: OfferedPassword
    new_password: NewPassword


@endpoint(raises=[AccountLocked, InvalidCredentials])
def handler(user: User, body: PasswordChangeBody) -> None:
    password_confirmed_changes().change_password(
        user.id,
        user.session_id,
        body.current_password.get_secret_value(),
        body.new_password.get_secret_value(),
    )
