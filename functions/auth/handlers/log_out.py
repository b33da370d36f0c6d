"""POST /auth/logout: end the session at once, with its access tokens and its refresh token (AUTH-008, AUTH-010)."""

from datetime import UTC, datetime

from common.http.endpoint import endpoint
from common.http.request import Body, User
from functions.auth.domain.account_fields import RefreshToken
from functions.auth.domain.session import AccessToken
from functions.auth.wiring.logout import logout


class LogoutBody(Body):
    refresh_token: RefreshToken | None = None


@endpoint
def handler(user: User, body: LogoutBody | None) -> None:
    access = AccessToken(user.token_id, datetime.fromtimestamp(user.token_expires_at, UTC))
    refresh_token = body.refresh_token.get_secret_value() if body and body.refresh_token else None
    logout().log_out(user.id, user.session_id, access, refresh_token)
