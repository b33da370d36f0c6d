"""A cached authorizer answer, and a token that was revoked or expired after it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import pytest

from common.domain.model import Model
from common.domain.shared_errors import StoreUnavailable
from common.http import endpoint as edge
from common.http.endpoint import endpoint
from common.http.request import User
from common.protection.token_blacklist import TokenBlacklistCheck
from common.stores.redis import Client
from common.wiring.endpoint_settings import EndpointSettings
from functions.auth.adapters.token_blacklist_redis import TokenBlacklist
from functions.auth.domain.session import AccessToken

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Hello(Model):
    word: str = "hello"


@endpoint(limit=None)
def greet(_user: User) -> Hello:
    return Hello()


@pytest.fixture
def call(redis: Client, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Calls `greet` with a token's claims, behind one of the template's authorizers."""
    now = [NOW]

    def call_greet(
        claims: dict[str, Any], authorizer: Literal["Jwt", "JwtCached"] = "JwtCached", at: datetime = NOW
    ) -> dict[str, Any]:
        now[0] = at
        settings = EndpointSettings(authorizer=authorizer)
        monkeypatch.setattr(edge, "endpoint_settings", lambda: settings)
        answer: dict[str, Any] = greet({"requestContext": {"authorizer": claims}, "headers": {}}, None)
        return answer

    revocation = TokenBlacklistCheck(redis, lambda: now[0])
    monkeypatch.setattr("common.wiring.token_blacklist_check.token_blacklist_check", lambda: revocation)
    return call_greet


def claims_of(token: AccessToken) -> dict[str, Any]:
    """The authorizer's context as a function gets it: every value is a string."""
    return {
        "sub": str(uuid4()),
        "role": "USER",
        "sid": str(uuid4()),
        "jti": token.id,
        "exp": str(int(token.expires_at.timestamp())),
    }


@pytest.fixture
def token() -> AccessToken:
    return AccessToken(str(uuid4()), NOW + timedelta(hours=1))


def test_a_logout_takes_effect_at_once_although_the_gateway_caches_the_authorizers_answer(
    call: Callable[..., dict[str, Any]], redis: Client, token: AccessToken
) -> None:
    claims = claims_of(token)
    assert call(claims)["statusCode"] == 200
    TokenBlacklist(redis).add([token], NOW)
    response = call(claims)
    assert (response["statusCode"], "TOKEN_REVOKED" in response["body"]) == (401, True)


def test_a_token_expires_on_time_although_the_gateway_caches_the_authorizers_answer(
    call: Callable[..., dict[str, Any]], token: AccessToken
) -> None:
    claims = claims_of(token)
    assert call(claims, at=token.expires_at - timedelta(seconds=1))["statusCode"] == 200
    response = call(claims, at=token.expires_at)
    assert (response["statusCode"], "TOKEN_EXPIRED" in response["body"]) == (401, True)


def test_without_authorizer_caching_functions_do_not_check_the_blacklist(
    call: Callable[..., dict[str, Any]], redis: Client, token: AccessToken
) -> None:
    TokenBlacklist(redis).add([token], NOW)
    assert call(claims_of(token), authorizer="Jwt")["statusCode"] == 200


def test_while_redis_is_unavailable_cached_answers_are_not_accepted(
    call: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, token: AccessToken
) -> None:
    class UnavailableRedis:
        def exists(self, _key: str) -> int:
            raise StoreUnavailable("Redis")

    unavailable: Any = UnavailableRedis()
    revocation = TokenBlacklistCheck(unavailable, lambda: NOW)
    monkeypatch.setattr("common.wiring.token_blacklist_check.token_blacklist_check", lambda: revocation)
    assert call(claims_of(token))["statusCode"] == 503
