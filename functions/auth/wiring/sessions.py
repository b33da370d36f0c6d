"""Opening and refreshing sessions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from secrets import token_urlsafe

from common.domain.clock import new_id, utc_now
from common.runtime.settings import Settings
from common.wiring.database import database
from common.wiring.redis_client import redis_client
from common.wiring.secret_cache import secret
from functions.auth.adapters.access_token_jwt import AccessTokenSigner
from functions.auth.adapters.session_repository import SessionRepository
from functions.auth.domain.session import AccessToken
from functions.auth.domain.signing_keys import PrivateKey
from functions.auth.domain.token_claims import TokenParties
from functions.auth.usecases.sessions import Sessions


class SessionSettings(Settings):
    token_issuer: str
    token_audience: str
    access_token_seconds: int = 3600  # AUTH-011
    refresh_token_seconds: int = 604_800
    refresh_grace_seconds: int = 10  # in which the device that spent a refresh token can use it again; 0 for none


def _signing_key() -> PrivateKey:
    key: PrivateKey = secret("jwt/signing")["keys"][0]
    return key


def _new_refresh_token() -> str:
    return token_urlsafe(32)


class _BlacklistOnDemand:
    """Only the reuse of a refresh token needs Redis here, which is too rare to load and connect its client always."""

    def add(self, tokens: Sequence[AccessToken], now: datetime) -> None:
        from functions.auth.adapters.token_blacklist_redis import TokenBlacklist

        TokenBlacklist(redis_client()).add(tokens, now)


@cache
def sessions() -> Sessions:
    settings = SessionSettings.from_environment()
    parties = TokenParties(settings.token_issuer, settings.token_audience)
    return Sessions(
        SessionRepository(database()),
        AccessTokenSigner(_signing_key, parties, settings.access_token_seconds),
        _BlacklistOnDemand(),
        utc_now,
        new_id,
        _new_refresh_token,
        timedelta(seconds=settings.refresh_token_seconds),
        timedelta(seconds=settings.refresh_grace_seconds),
    )
