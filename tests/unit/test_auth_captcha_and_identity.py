"""Responses and failures of reCAPTCHA and PortOne: a check that could not be made never passes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from common.domain.shared_errors import CaptchaFailed, DomainError, ServiceUnavailable
from common.protection.captcha import Captcha, CaptchaTerms
from common.protection.circuit_breaker import CircuitOpen
from functions.auth.adapters.clients.identity_verification_client import IdentityVerificationClient
from functions.auth.domain.verified_person import VerificationTerms, VerifiedPerson

Respond = Callable[[httpx.Request], httpx.Response]
NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)
HONG = VerifiedPerson("홍길동", "01012345678", "ci-of-hong", date(1990, 1, 31))
VERIFIED: dict[str, Any] = {
    "status": "VERIFIED",
    "channel": {"type": "LIVE"},
    "verifiedAt": "2026-05-01T10:55:00Z",
    "verifiedCustomer": {
        "name": "홍길동",
        "phoneNumber": "01012345678",
        "ci": "ci-of-hong",
        "birthDate": "1990-01-31",
    },
}


def timed_out(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("no answer", request=request)


def connection_refused(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def answer(status: int, **more: Any) -> Respond:
    return lambda _: httpx.Response(status, **more)


def captcha(respond: Respond, terms: CaptchaTerms = CaptchaTerms()) -> Captcha:  # noqa: B008
    client = httpx.Client(transport=httpx.MockTransport(respond))
    return Captcha(client, "https://captcha.example/siteverify", "our-secret", nullcontext, terms)


def identities(respond: Respond, *, test_channel: bool = False) -> IdentityVerificationClient:
    client = httpx.Client(transport=httpx.MockTransport(respond))
    terms = VerificationTerms(test_channel=test_channel)
    return IdentityVerificationClient(client, "https://portone.example", "our-secret", nullcontext, lambda: NOW, terms)


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

    captcha(respond).check("a token & more", "login")
    assert forms == [{"secret": ["our-secret"], "response": ["a token & more"]}]


def test_a_captcha_that_was_not_passed_is_captcha_failed() -> None:
    respond = answer(200, json={"success": False, "error-codes": ["timeout-or-duplicate"]})
    assert error_of(lambda: captcha(respond).check("old", "login")) is CaptchaFailed


@pytest.mark.parametrize(
    "respond", [*UNAVAILABLE, answer(200, json={"success": False, "error-codes": ["invalid-input-secret"]})]
)
def test_a_captcha_that_could_not_be_checked_is_service_unavailable(respond: Respond) -> None:
    assert error_of(lambda: captcha(respond).check("token", "login")) is ServiceUnavailable


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        ({}, True),  # v2 says neither
        ({"score": 0.5, "action": "login", "hostname": "shop.example"}, True),
        ({"score": 0.49}, False),
        ({"score": 0.0}, False),
        ({"action": "register"}, False),
        ({"action": ""}, False),
        ({"hostname": "evil.example"}, False),
        ({"hostname": "evil.shop.example"}, False),
    ],
)
def test_a_passed_captcha_counts_for_our_action_on_our_site_with_a_human_score(
    said: dict[str, Any], passes: bool
) -> None:
    terms = CaptchaTerms(0.5, frozenset({"shop.example"}))
    checked = captcha(answer(200, json={"success": True, **said}), terms)
    if passes:
        checked.check("token", "login")
    else:
        assert error_of(lambda: checked.check("token", "login")) is CaptchaFailed


@pytest.mark.parametrize(
    "changed",
    [
        {"channel": {"type": "TEST"}},
        {"channel": None},
        {"verifiedAt": None},
        {"verifiedAt": "2026-05-01T10:49:59Z"},  # a second over ten minutes
        {"verifiedCustomer": {"name": "x", "ci": "x", "birthDate": "2030-01-01"}},
        {"verifiedCustomer": {"name": "x", "ci": "x", "birthDate": "1895-04-30"}},
    ],
)
def test_a_verification_for_tests_an_old_one_and_an_impossible_birth_date_do_not_count(changed: dict[str, Any]) -> None:
    assert identities(answer(200, json={**VERIFIED, **changed})).person("id") is None


def test_a_stage_for_tests_accepts_the_test_channel() -> None:
    body = {**VERIFIED, "channel": {"type": "TEST"}}
    assert identities(answer(200, json=body), test_channel=True).person("id") == HONG


@pytest.mark.parametrize(
    ("born", "age"),
    [(date(2012, 5, 2), 13), (date(2012, 5, 1), 14), (date(2026, 5, 2), -1), (date(2024, 2, 29), 2), (None, None)],
)
def test_age_is_in_full_years(born: date | None, age: int | None) -> None:
    assert VerifiedPerson("x", None, None, born).age_at(NOW) == age


def test_a_birthday_begins_at_midnight_in_korea() -> None:
    child = VerifiedPerson("x", None, None, date(2012, 5, 2))
    assert [child.age_at(NOW.replace(hour=hour)) for hour in (14, 15)] == [13, 14]


def test_a_verified_identity_returns_the_person() -> None:
    assert identities(answer(200, json=VERIFIED)).person("id") == HONG


def test_a_carrier_may_give_neither_phone_nor_ci() -> None:
    body = {**VERIFIED, "verifiedCustomer": {"name": "홍길동"}}
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
        lambda: Captcha(client, "https://captcha.example", "our-secret", open_circuit, CaptchaTerms()).check("t", "x"),
        lambda: IdentityVerificationClient(
            client, "https://portone.example", "our-secret", open_circuit, lambda: NOW, VerificationTerms()
        ).person("id"),
    ]
    for call in calls:
        with pytest.raises(DomainError) as error:
            call()
        assert type(error.value) is ServiceUnavailable
        assert error.value.retry_after == 42
