"""Which bodies the endpoints accept, and that printing them shows no secret."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from functions.auth.domain.account_fields import Email, NewPassword, Phone
from functions.auth.handlers.log_in import LoginBody
from functions.auth.handlers.register_account import RegisterBody

SAMPLES = Path(__file__).parents[2] / "events"


def sample_body(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))["body"])
    return body


def accepts(kind: Any, value: object) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("password", ["abcdefghi1", "비밀번호1가", "1" * 71 + "a", "a1 with spaces", "ÀÈ12345678"])
def test_a_password_of_10_to_72_bytes_with_a_letter_and_a_digit_is_accepted(password: str) -> None:
    assert accepts(NewPassword, password)


@pytest.mark.parametrize(
    "password", ["", "abcdefgh1", "abcdefghij", "1234567890", "a1" * 36 + "x", "가1" + "나" * 23, 10, None]
)
def test_any_other_password_is_rejected(password: object) -> None:
    assert not accepts(NewPassword, password)


@pytest.mark.parametrize(
    "email", ["a@b.co", "First.Last+tag@mail.example.com", "x" * 64 + "@example.com", " padded@example.com "]
)
def test_an_address_that_a_browser_accepts_is_accepted(email: str) -> None:
    assert accepts(Email, email)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "plain",
        "@example.com",
        "a@",
        "a@b",
        "a@b..co",
        "a@-b.co",
        "a b@example.com",
        "a@b@example.com",
        "a@exa\nmple.com",
        "a@example.com\nbcc:x@y.zz",
        "한글@example.com",
        "x" * 65 + "@example.com",
        "a@" + "b." * 130 + "co",
        "a" * 100_000,
        None,
    ],
)
def test_any_other_address_is_rejected(email: object) -> None:
    assert not accepts(Email, email)


@pytest.mark.parametrize(
    ("phone", "valid"), [("010-1234-5678", True), ("+82 10 1234 5678", True), ("1", False), ("0" * 99, False)]
)
def test_a_phone_number_is_digits(phone: str, valid: bool) -> None:
    assert accepts(Phone, phone) is valid


@pytest.mark.parametrize(
    "agreements",
    [
        [{"code": "SOMETHING", "version": "1", "agreed": True}],
        [{"code": "PRIVACY", "version": "1", "agreed": "yes"}],
        [{"code": "PRIVACY", "version": "1", "agreed": 1}],
        [{"code": "PRIVACY", "version": "", "agreed": True}],
        [{"code": "PRIVACY", "version": "1", "agreed": True}] * 2,
        "PRIVACY",
        None,
    ],
)
def test_an_agreement_must_be_known_explicit_and_given_once(agreements: object) -> None:
    assert not accepts(RegisterBody, {**sample_body("register_account"), "agreements": agreements})
    assert accepts(RegisterBody, sample_body("register_account"))


@pytest.mark.parametrize(("kind", "name"), [(RegisterBody, "register_account"), (LoginBody, "log_in")])
def test_printing_a_body_shows_none_of_its_secrets(kind: Any, name: str) -> None:
    body = sample_body(name)
    printed = repr(kind.model_validate(body)) + kind.model_validate(body).to_json()
    assert body["password"] not in printed
    assert body["captchaToken"] not in printed
