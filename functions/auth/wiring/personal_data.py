"""What several handlers of the service are made of: built on the first request, kept for the warm container.

What one handler alone needs is put together beside it, so that none loads what it does not use: the authorizer no
Postgres, refresh no bcrypt and no HTTP client. Imports belong to a function's initialisation, which Lambda gives a
whole processor; inside a function they would wait for the first request's third of one.
"""

from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from secrets import token_urlsafe

from common.domain.clock import new_id, utc_now
from common.runtime.settings import Settings
from common.stores.postgres import database
from common.stores.secrets import secret
from functions.auth.adapters.access_token_jwt import AccessTokenSigner, Parties, PrivateKey
from functions.auth.adapters.account_repository import AccountStore
from functions.auth.adapters.clients.kms_client import PersonalDataKms
from functions.auth.adapters.login_history_repository import LoginHistory
from functions.auth.adapters.session_repository import SessionStore
from functions.auth.adapters.vault import Vault
from functions.auth.usecases.data_keys import DataKeys
from functions.auth.usecases.sessions import AccessToken, Sessions


class SessionSettings(Settings):
    token_issuer: str
    token_audience: str
    access_token_seconds: int = 3600  # AUTH-011
    refresh_token_seconds: int = 604_800


class VaultSettings(Settings):
    personal_data_kms_key: str  # id, ARN or alias


def _lookup_key() -> bytes:
    return b64decode(secret("personal-data/lookup")["key"])


def _signing_key() -> PrivateKey:
    key: PrivateKey = secret("jwt/signing")["keys"][0]
    return key


def _new_refresh_token() -> str:
    return token_urlsafe(32)


@cache
def accounts() -> AccountStore:
    return AccountStore(database(), vault())


@cache
def data_keys() -> DataKeys:
    return DataKeys(database(), PersonalDataKms(VaultSettings.from_environment().personal_data_kms_key))


@cache
def vault() -> Vault:
    return Vault(data_keys(), _lookup_key)


@cache
def login_history() -> LoginHistory:
    return LoginHistory(database(), vault(), utc_now, new_id)


class _BlacklistWhenNeeded:
    """Only the reuse of a refresh token needs Redis here: too rare for every sign-in to load and connect its client."""

    def add(self, tokens: Sequence[AccessToken], now: datetime) -> None:
        from common.stores import redis
        from functions.auth.adapters.token_blacklist_redis import Blacklist

        Blacklist(redis.client()).add(tokens, now)


@cache
def sessions() -> Sessions:
    settings = SessionSettings.from_environment()
    parties = Parties(settings.token_issuer, settings.token_audience)
    return Sessions(
        SessionStore(database()),
        AccessTokenSigner(_signing_key, parties, settings.access_token_seconds),
        _BlacklistWhenNeeded(),
        utc_now,
        new_id,
        _new_refresh_token,
        timedelta(seconds=settings.refresh_token_seconds),
    )
