"""A mailed code verifies the account's address, over HTTP; the mail is read from moto (AUTH-022)."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tools.demo.buyer import Api, ApiError, Buyer

pytestmark = pytest.mark.e2e

NewBuyer = Callable[[], Buyer]
PATH = "/users/me/email-verification"


@pytest.fixture
def mails(stack: dict[str, Any]) -> Callable[[str], list[dict[str, Any]]]:
    """The mails that an address received, oldest first."""

    def of(address: str) -> list[dict[str, Any]]:
        stored = httpx.get(f"{stack['aws']}/moto-api/data.json", timeout=30).raise_for_status().json()
        return [mail for mail in stored["ses"]["Message"] if address in mail["destinations"]["ToAddresses"]]

    return of


def rejection(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ApiError) as error:
        call()
    return error.value.status, error.value.code


def code_in(mail: dict[str, Any]) -> str:
    (code,) = re.findall(r"\b\d{6}\b", mail["body"])
    return str(code)


def test_the_mailed_code_verifies_the_address(new_buyer: NewBuyer, mails: Any) -> None:
    buyer = new_buyer()
    assert buyer.api("GET", "/users/me")["emailVerified"] is False
    assert buyer.api.client.post(PATH).status_code == 202
    (mail,) = mails(buyer.email)
    assert mail["source"] == "no-reply@example.com"
    assert mail["subject"] == "이메일 인증 코드"
    code = code_in(mail)
    assert buyer.api("PUT", PATH, {"code": code}) is None
    assert buyer.api("GET", "/users/me")["emailVerified"] is True
    assert rejection(lambda: buyer.api("PUT", PATH, {"code": code})) == (422, "CODE_INVALID")


def test_one_mail_is_sent_a_minute_for_any_number_of_requests(new_buyer: NewBuyer, mails: Any) -> None:
    buyer = new_buyer()
    for _ in range(3):
        assert buyer.api.client.post(PATH, headers={"Accept-Language": "en"}).status_code == 202
    (mail,) = mails(buyer.email)
    assert mail["subject"] == "Your e-mail verification code"


def test_a_code_can_be_guessed_five_times(new_buyer: NewBuyer, mails: Any) -> None:
    buyer = new_buyer()
    buyer.api.client.post(PATH)
    code = code_in(mails(buyer.email)[0])
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for _ in range(5):
        assert rejection(lambda: buyer.api("PUT", PATH, {"code": wrong})) == (422, "CODE_INVALID")
    assert rejection(lambda: buyer.api("PUT", PATH, {"code": code})) == (422, "CODE_INVALID")
    assert buyer.api("GET", "/users/me")["emailVerified"] is False


def test_a_code_works_for_its_user_only(new_buyer: NewBuyer, mails: Any) -> None:
    buyer, other = new_buyer(), new_buyer()
    for each in (buyer, other):
        each.api.client.post(PATH)
    code = code_in(mails(buyer.email)[0])
    if code == code_in(mails(other.email)[0]):
        pytest.skip("one in a million: both codes are the same")
    assert rejection(lambda: other.api("PUT", PATH, {"code": code})) == (422, "CODE_INVALID")


def test_a_malformed_code_is_wrong_and_a_body_without_one_is_invalid(new_buyer: NewBuyer) -> None:
    api = new_buyer().api
    for code in ("000000x", "없음", "٠٠٠٠٠٠", " ", "\x00"):
        assert api.client.put(PATH, json={"code": code}).json()["code"] == "CODE_INVALID", code
    for body in ({}, {"code": None}, {"code": 123456}, {"code": ""}, {"code": "1" * 101}):
        assert api.client.put(PATH, json=body).json()["code"] == "VALIDATION_ERROR", body


def test_only_a_logged_in_user_can_verify_an_address(public: Api) -> None:
    assert rejection(lambda: public("POST", PATH)) == (401, "TOKEN_MISSING")
    assert rejection(lambda: public("PUT", PATH, {"code": "000000"})) == (401, "TOKEN_MISSING")
