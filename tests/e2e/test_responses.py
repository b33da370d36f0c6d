"""What every response has, from the gateway and from functions alike (`docs/api.md`, top)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tools.demo.buyer import Api, ApiError, Buyer

pytestmark = pytest.mark.e2e

SECURITY = (
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "content-security-policy",
)


@pytest.fixture
def http(stack: dict[str, Any]) -> httpx.Client:
    return httpx.Client(base_url=stack["api"], timeout=30)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("GET", "/internal/seats/status/019ab0c0-0000-7000-8000-000000000001", 404, "NOT_FOUND"),
        ("GET", "/events/not-an-id", 404, "NOT_FOUND"),
        ("GET", "/events/019ab0c0-0000-7000-8000-000000000001", 404, "NOT_FOUND"),
        ("GET", "/reservations", 401, "TOKEN_MISSING"),
        ("POST", "/queue/enter", 401, "TOKEN_MISSING"),
        ("GET", "/events?size=1000", 400, "VALIDATION_ERROR"),
        ("POST", "/auth/login", 400, "VALIDATION_ERROR"),
    ],
)
def test_every_error_has_the_error_format_and_every_response_the_headers(
    http: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    trace_id = str(uuid4())
    answer = http.request(method, path, headers={"X-Trace-Id": trace_id, "Accept-Language": "en"})
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert body["traceId"] == answer.headers["x-trace-id"] == trace_id
    assert datetime.fromisoformat(body["timestamp"]).tzinfo
    assert body["message"].isascii()
    assert all(header in answer.headers for header in SECURITY)


def test_messages_are_korean_unless_english_is_requested(http: httpx.Client) -> None:
    assert http.get("/events/x").json()["message"] == "찾을 수 없습니다."
    assert http.get("/reservations").json()["message"] == "로그인이 필요합니다."
    assert http.get("/reservations", headers={"Accept-Language": "en-US,ko;q=0.5"}).json()["message"] == "Log in first."


@pytest.mark.parametrize(
    ("token", "code"),
    [("Bearer nonsense", "TOKEN_INVALID"), ("Basic YTpi", "TOKEN_MISSING"), ("Bearer", "TOKEN_MISSING")],
)
def test_an_invalid_token_is_distinguished_from_a_missing_one(http: httpx.Client, token: str, code: str) -> None:
    answer = http.get("/users/me", headers={"Authorization": token})
    assert answer.status_code == 401
    assert answer.json()["code"] == code


def test_logout_is_immediate(new_buyer: Callable[[], Buyer]) -> None:
    buyer = new_buyer()
    assert buyer.api("GET", "/users/me")["email"] == buyer.email
    buyer.api("POST", "/auth/logout")
    with pytest.raises(ApiError) as revoked:
        buyer.api("GET", "/users/me")
    assert revoked.value.code == "TOKEN_REVOKED"


def test_a_reused_refresh_token_ends_its_session(stack: dict[str, Any], new_buyer: Callable[[], Buyer]) -> None:
    buyer, another = new_buyer(), {"User-Agent": "another device"}
    pair = Api(stack["api"])("POST", "/auth/refresh", {"refreshToken": buyer.refresh_token})
    with pytest.raises(ApiError) as reused:
        Api(stack["api"])("POST", "/auth/refresh", {"refreshToken": buyer.refresh_token}, headers=another)
    assert reused.value.code == "TOKEN_REUSED"
    with pytest.raises(ApiError) as ended:
        Api(stack["api"])("POST", "/auth/refresh", {"refreshToken": pair["refreshToken"]})
    assert ended.value.status == 401
    for token in (buyer.api, Api(stack["api"], pair["accessToken"])):
        with pytest.raises(ApiError) as revoked:
            token("GET", "/users/me")
        assert revoked.value.code == "TOKEN_REVOKED"


def test_only_admins_create_venues(new_buyer: Callable[[], Buyer]) -> None:
    with pytest.raises(ApiError) as error:
        new_buyer().api("POST", "/venues", {"name": "a", "address": "b", "city": "c"})
    assert (error.value.status, error.value.code) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", '{"eventId": 7}', '{"eventId": "x"}', '{"eventId": "\\u0000"}', "{" * 5000, '{"eventId":'],
)
def test_no_body_causes_a_500(new_buyer: Callable[[], Buyer], body: str) -> None:
    answer = new_buyer().api.client.post("/queue/enter", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")


def test_another_media_type_is_rejected(new_buyer: Callable[[], Buyer]) -> None:
    answer = new_buyer().api.client.post("/queue/enter", content="a=b", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_an_unsigned_webhook_is_rejected(http: httpx.Client) -> None:
    answer = http.post("/payments/webhook", json={"type": "Transaction.Paid", "data": {"paymentId": str(uuid4())}})
    assert (answer.status_code, answer.json()["code"]) == (401, "SIGNATURE_INVALID")


def test_cross_origin_calls_are_allowed_for_the_configured_origin_only(http: httpx.Client) -> None:
    preflight = http.options(
        "/queue/enter", headers={"Origin": "http://localhost:5173", "Access-Control-Request-Method": "POST"}
    )
    assert preflight.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert preflight.headers["access-control-allow-credentials"] == "true"
    ours = http.get("/events", headers={"Origin": "http://localhost:5173"})
    assert ours.headers["access-control-allow-origin"] == "http://localhost:5173"
    theirs = http.get("/events", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in theirs.headers
    assert ours.headers["vary"] == theirs.headers["vary"] == http.get("/events").headers["vary"] == "Origin"
    assert preflight.headers["access-control-max-age"] == "7200"


@pytest.mark.parametrize("origin", ["http://localhost:5173", "https://evil.example"])
def test_only_the_front_end_can_read_the_gateways_own_errors(http: httpx.Client, origin: str) -> None:
    answer = http.patch("/events", headers={"Origin": origin})
    assert (answer.status_code, answer.json()["code"], answer.json()["timestamp"]) == (404, "NOT_FOUND", None)
    assert answer.json()["traceId"] == answer.headers["x-trace-id"]
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert {"X-Trace-Id", "Retry-After"} <= set(answer.headers["access-control-expose-headers"].split(","))
    assert answer.headers["vary"] == "Origin"


def test_health_names_every_store(http: httpx.Client) -> None:
    answer = http.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "UP", "checks": {"postgres": "UP", "redis": "UP", "kafka": "UP"}}


def test_published_keys_verify_an_access_token(stack: dict[str, Any], new_buyer: Callable[[], Buyer]) -> None:
    import jwt

    keys = jwt.PyJWKSet.from_dict(Api(stack["api"])("GET", "/.well-known/jwks.json"))
    token = new_buyer().api.client.headers["Authorization"].removeprefix("Bearer ")
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["ES256"], options={"verify_aud": False})
    assert {"sub", "role", "sid", "jti", "iat", "exp", "iss", "aud"} <= claims.keys()
    assert UUID(claims["sub"])
