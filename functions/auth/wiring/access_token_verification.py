"""For the authorizer."""

from functools import cache

from common.runtime.settings import Settings
from common.wiring.redis_client import redis_client
from common.wiring.secret_cache import secret
from functions.auth.adapters.access_token_jwt import AccessTokenVerifier
from functions.auth.adapters.token_blacklist_redis import TokenBlacklist
from functions.auth.domain.signing_keys import PublicKey
from functions.auth.domain.token_claims import TokenParties


class VerificationSettings(Settings):
    token_issuer: str
    token_audience: str


def _verification_keys() -> list[PublicKey]:
    keys: list[PublicKey] = secret("jwt/verification")["keys"]
    return keys


@cache
def access_token_verifier() -> AccessTokenVerifier:
    settings = VerificationSettings.from_environment()
    parties = TokenParties(settings.token_issuer, settings.token_audience)
    return AccessTokenVerifier(_verification_keys, parties, TokenBlacklist(redis_client()).contains)
