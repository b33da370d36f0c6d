"""A kept answer of the authorizer, and a token that has ended since."""

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
from common.protection.revocation import Revocation
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
    """An answer of `greet` to a token's claims, under one of the template's authorizers."""
    moments = [NOW]

    def called(
        claims: dict[str, Any], authorizer: Literal["Jwt", "JwtCached"] = "JwtCached", at: datetime = NOW
    ) -> dict[str, Any]:
        moments[0] = at
        settings = EndpointSettings(authorizer=authorizer)
        monkeypatch.setattr(edge, "endpoint_settings", lambda: settings)
        answer: dict[str, Any] = greet({"requestContext": {"authorizer": claims}, "headers": {}}, None)
        return answer

    checking = Revocation(redis, lambda: moments[0])
    monkeypatch.setattr("common.wiring.token_revocation.token_revocation", lambda: checking)
    return called


def claims_of(token: AccessToken) -> dict[str, Any]:
    """As the authorizer's context arrives: every value a string."""
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


def test_a_sign_out_bites_at_once_although_the_gateway_keeps_the_authorizers_answer(
    call: Callable[..., dict[str, Any]], redis: Client, token: AccessToken
) -> None:
    kept = claims_of(token)
    assert call(kept)["statusCode"] == 200
    TokenBlacklist(redis).add([token], NOW)
    refused = call(kept)
    assert (refused["statusCode"], "TOKEN_REVOKED" in refused["body"]) == (401, True)


def test_a_token_does_not_outlive_its_hour_in_the_gateways_cache(
    call: Callable[..., dict[str, Any]], token: AccessToken
) -> None:
    kept = claims_of(token)
    assert call(kept, at=token.expires_at - timedelta(seconds=1))["statusCode"] == 200
    refused = call(kept, at=token.expires_at)
    assert (refused["statusCode"], "TOKEN_EXPIRED" in refused["body"]) == (401, True)


def test_where_every_request_is_authorized_no_function_asks_again(
    call: Callable[..., dict[str, Any]], redis: Client, token: AccessToken
) -> None:
    TokenBlacklist(redis).add([token], NOW)
    assert call(claims_of(token), authorizer="Jwt")["statusCode"] == 200


def test_while_redis_is_away_nobody_passes_on_a_kept_answer(
    call: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, token: AccessToken
) -> None:
    class Away:
        def exists(self, _key: str) -> int:
            raise StoreUnavailable("Redis")

    away: Any = Away()
    checking = Revocation(away, lambda: NOW)
    monkeypatch.setattr("common.wiring.token_revocation.token_revocation", lambda: checking)
    assert call(claims_of(token))["statusCode"] == 503
