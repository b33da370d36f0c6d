"""Responses and failures of reCAPTCHA and PortOne: a check that could not be made never passes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from common.domain.shared_errors import CaptchaFailed, DomainError, ServiceUnavailable
from common.protection.captcha import Captcha
from common.protection.circuit_breaker import CircuitOpen
from functions.auth.adapters.clients.identity_verification_client import IdentityVerificationClient
from functions.auth.domain.verified_person import VerifiedPerson

Respond = Callable[[httpx.Request], httpx.Response]
VERIFIED = {
    "status": "VERIFIED",
    "verifiedCustomer": {"name": "홍길동", "phoneNumber": "01012345678", "ci": "ci-of-hong"},
}


def timed_out(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("no answer", request=request)


def connection_refused(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def answer(status: int, **more: Any) -> Respond:
    return lambda _: httpx.Response(status, **more)


def captcha(respond: Respond) -> Captcha:
    client = httpx.Client(transport=httpx.MockTransport(respond))
    return Captcha(client, "https://captcha.example/siteverify", "our-secret", nullcontext)


def identities(respond: Respond) -> IdentityVerificationClient:
    return IdentityVerificationClient(
        httpx.Client(transport=httpx.MockTransport(respond)), "https://portone.example", "our-secret", nullcontext
    )


def error_of(call: Callable[[], object]) -> type[DomainError]:
    with pytest.raises(DomainError) as error:
        call()
    return type(error.value)


UNAVAILABLE = [
    timed_out,
    connection_refused,
    answer(500, json={"type": "INTERNAL"}),
    answer(502, html="<title>502</title>"),
    answer(200, html="<title>hello</title>"),
    answer(200, json=[]),
    answer(200, json={}),
    answer(302, headers={"Location": "https://elsewhere.example"}),
]


def test_a_captcha_is_checked_with_our_secret_and_without_the_callers_address() -> None:
    forms: list[dict[str, list[str]]] = []

    def respond(request: httpx.Request) -> httpx.Response:
        forms.append(parse_qs(request.content.decode()))
        return httpx.Response(200, json={"success": True})

    captcha(respond).check("a token & more")
    assert forms == [{"secret": ["our-secret"], "response": ["a token & more"]}]


def test_a_captcha_that_was_not_passed_is_captcha_failed() -> None:
    respond = answer(200, json={"success": False, "error-codes": ["timeout-or-duplicate"]})
    assert error_of(lambda: captcha(respond).check("old")) is CaptchaFailed


@pytest.mark.parametrize(
    "respond", [*UNAVAILABLE, answer(200, json={"success": False, "error-codes": ["invalid-input-secret"]})]
)
def test_a_captcha_that_could_not_be_checked_is_service_unavailable(respond: Respond) -> None:
    assert error_of(lambda: captcha(respond).check("token")) is ServiceUnavailable


def test_a_verified_identity_returns_the_person() -> None:
    assert identities(answer(200, json=VERIFIED)).person("id") == VerifiedPerson("홍길동", "01012345678", "ci-of-hong")


def test_a_carrier_may_give_neither_phone_nor_ci() -> None:
    body = {"status": "VERIFIED", "verifiedCustomer": {"name": "홍길동"}}
    assert identities(answer(200, json=body)).person("id") == VerifiedPerson("홍길동", None, None)


@pytest.mark.parametrize(
    "respond",
    [
        answer(404, json={"type": "IDENTITY_VERIFICATION_NOT_FOUND"}),
        answer(400, json={"type": "INVALID_REQUEST"}),
        answer(200, json={"status": "READY"}),
        answer(200, json={**VERIFIED, "status": "FAILED"}),
        answer(200, json={"status": "VERIFIED"}),
    ],
)
def test_an_unverified_identity_returns_none(respond: Respond) -> None:
    assert identities(respond).person("id") is None


@pytest.mark.parametrize("respond", [*UNAVAILABLE, answer(401, json={"type": "UNAUTHORIZED"}), answer(403, json={})])
def test_an_identity_that_could_not_be_checked_is_service_unavailable(respond: Respond) -> None:
    assert error_of(lambda: identities(respond).person("id")) is ServiceUnavailable


@pytest.mark.parametrize("hostile", ["..", ".", "../payments/1", "a/b?c=d#e", "%2e%2e", "한글", "a b\r\nX: y"])
def test_an_id_stays_one_segment_of_the_path(hostile: str) -> None:
    paths: list[bytes] = []

    def respond(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        assert request.headers["Authorization"] == "PortOne our-secret"
        return httpx.Response(404, json={})

    identities(respond).person(hostile)
    assert paths[0].startswith(b"/identity-verifications/")
    assert paths[0].count(b"/") == 2
    assert b"?" not in paths[0]


@contextmanager
def open_circuit() -> Iterator[None]:
    raise CircuitOpen("captcha", retry_after=42)
    yield


def test_while_the_circuit_is_open_no_request_is_sent_and_the_error_has_retry_after() -> None:
    client = httpx.Client(transport=httpx.MockTransport(lambda _: pytest.fail("was called")))
    calls = [
        lambda: Captcha(client, "https://captcha.example", "our-secret", open_circuit).check("token"),
        lambda: IdentityVerificationClient(client, "https://portone.example", "our-secret", open_circuit).person("id"),
    ]
    for call in calls:
        with pytest.raises(DomainError) as error:
            call()
        assert type(error.value) is ServiceUnavailable
        assert error.value.retry_after == 42
