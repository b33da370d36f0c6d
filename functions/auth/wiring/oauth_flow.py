"""The OAuth flow of social logins."""

from functools import cache
from secrets import token_urlsafe

import httpx

from common.domain.clock import utc_now
from common.protection.circuit_breaker import Attempt, CircuitBreaker
from common.runtime.settings import Settings
from common.wiring.redis_client import redis_client
from common.wiring.secret_cache import secret
from functions.auth.adapters.clients.oauth_providers import (
    PROVIDER_FAILURES,
    TIMEOUT_SECONDS,
    ClientCredentials,
    Endpoints,
    GoogleDiscovery,
    OAuthProviders,
    ProviderConfig,
    read_google,
    read_kakao,
    read_naver,
)
from functions.auth.adapters.oauth_state_redis import OAuthStates
from functions.auth.domain.social_identity import Provider
from functions.auth.usecases.oauth_flow import OAuthFlow


class OAuthSettings(Settings):
    allowed_origins: str  # comma-separated
    kakao_auth_url: str
    kakao_api_url: str
    naver_auth_url: str
    naver_api_url: str
    google_url: str


def _credentials(provider: Provider) -> ClientCredentials:
    stored = secret(f"oauth/{provider}")
    return ClientCredentials(stored["clientId"], stored["clientSecret"])


@cache
def _guard(provider: Provider) -> Attempt:
    return CircuitBreaker(f"oauth-{provider}", redis_client(), utc_now, failures=PROVIDER_FAILURES).attempt


def provider_configs(settings: OAuthSettings, client: httpx.Client) -> dict[Provider, ProviderConfig]:
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
    google = GoogleDiscovery(client, settings.google_url)
    return {
        Provider.KAKAO: ProviderConfig(lambda: kakao, read_kakao),
        Provider.NAVER: ProviderConfig(lambda: naver, read_naver, pkce=False, repeats_state=True),
        Provider.GOOGLE: ProviderConfig(google, read_google, "openid email profile"),
    }


@cache
def oauth_flow() -> OAuthFlow:
    settings = OAuthSettings.from_environment()
    client = httpx.Client(timeout=TIMEOUT_SECONDS)
    providers = OAuthProviders(client, provider_configs(settings, client), _credentials, _guard)
    origins = [origin for origin in settings.allowed_origins.split(",") if origin]
    return OAuthFlow(providers, OAuthStates(redis_client()), origins, lambda: token_urlsafe(32))
