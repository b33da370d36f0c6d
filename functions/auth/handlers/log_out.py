"""POST /auth/logout: the session is dead at once, its access tokens and its refresh token (AUTH-008, AUTH-010)."""

from datetime import UTC, datetime
from functools import cache

from common.domain.clock import utc_now
from common.http.endpoint import endpoint
from common.http.request import Body, User
from common.stores import redis
from common.stores.postgres import database
from functions.auth.adapters.session_repository import SessionStore
from functions.auth.adapters.token_blacklist_redis import Blacklist
from functions.auth.domain.account_fields import RefreshToken
from functions.auth.usecases.logout import SignOut
from functions.auth.usecases.sessions import AccessToken


class LogoutBody(Body):
    refresh_token: RefreshToken | None = None


@cache
def sign_out() -> SignOut:
    return SignOut(SessionStore(database()), Blacklist(redis.client()), utc_now)


@endpoint
def handler(user: User, body: LogoutBody | None) -> None:
    access = AccessToken(user.token_id, datetime.fromtimestamp(user.token_expires_at, UTC))
    refresh_token = body.refresh_token.get_secret_value() if body and body.refresh_token else None
    sign_out().sign_out(user.id, user.session_id, access, refresh_token)
