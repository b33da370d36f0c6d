"""The OAuth flow, put together for its two handlers: apart from `composition`, whose others need no HTTP client."""

from functools import cache
from secrets import token_urlsafe

import httpx

from common.domain.clock import utc_now
from common.protection.circuit_breaker import Circuit, Guard
from common.runtime.settings import Settings
from common.stores import redis
from common.stores.secrets import secret
from functions.auth.adapters.clients.oauth_providers import (
    AWAY,
    TIMEOUT_SECONDS,
    Dialect,
    Endpoints,
    GoogleDiscovery,
    OAuthProviders,
    Registered,
    read_google,
    read_kakao,
    read_naver,
)
from functions.auth.adapters.oauth_state_redis import FlowStore
from functions.auth.domain.social_identity import Provider
from functions.auth.usecases.oauth_flow import OAuthFlow


class OAuthSettings(Settings):
    allowed_origins: str  # comma-separated
    kakao_auth_url: str
    kakao_api_url: str
    naver_auth_url: str
    naver_api_url: str
    google_url: str


def _registered(provider: Provider) -> Registered:
    kept = secret(f"oauth/{provider}")
    return Registered(kept["clientId"], kept["clientSecret"])


@cache
def _guard(provider: Provider) -> Guard:
    return Circuit(f"oauth-{provider}", redis.client(), utc_now, failures=AWAY).guard


def dialects(settings: OAuthSettings, client: httpx.Client) -> dict[Provider, Dialect]:
    kakao = Endpoints(
        authorization=f"{settings.kakao_auth_url}/oauth/authorize",
        token=f"{settings.kakao_auth_url}/oauth/token",
        profile=f"{settings.kakao_api_url}/v2/user/me",
    )
    naver = Endpoints(
        authorization=f"{settings.naver_auth_url}/oauth2.0/authorize",
        token=f"{settings.naver_auth_url}/oauth2.0/token",
        profile=f"{settings.naver_api_url}/v1/nid/me",
    )
    return {
        Provider.KAKAO: Dialect(lambda: kakao, read_kakao),
        Provider.NAVER: Dialect(lambda: naver, read_naver, pkce=False, repeats_state=True),
        Provider.GOOGLE: Dialect(GoogleDiscovery(client, settings.google_url), read_google, "openid email profile"),
    }


@cache
def oauth_flow() -> OAuthFlow:
    settings = OAuthSettings.from_environment()
    client = httpx.Client(timeout=TIMEOUT_SECONDS)
    providers = OAuthProviders(client, dialects(settings, client), _registered, _guard)
    origins = [origin for origin in settings.allowed_origins.split(",") if origin]
    return OAuthFlow(providers, FlowStore(redis.client()), origins, lambda: token_urlsafe(32))
