"""A code is mailed to the account's address, and only that code verifies it (AUTH-022)."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from common.domain.ids import UserId
from common.domain.shared_errors import DomainError, ServiceUnavailable, TokenInvalid
from functions.auth.adapters.clients.mailer import Mailer
from functions.auth.domain.account import Account, Role
from functions.auth.domain.errors import CodeInvalid
from functions.auth.usecases.email_verification import CodeConfirmation, CodeSending
from local.seed.mail import verify_sender

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)
HONG = Account(UserId(UUID(int=7)), "Hong@example.com", "홍길동", None, Role.USER, NOW)
REGION = "ap-northeast-2"


@dataclass
class Fakes:
    """Accounts, codes and mailer in one."""

    account_found: Account | None = HONG
    pause: bool = False
    mail_unavailable: bool = False
    saved: dict[UserId, bytes] = field(default_factory=dict)
    mailed: list[tuple[str, str, str]] = field(default_factory=list)
    confirmed: list[tuple[UserId, datetime]] = field(default_factory=list)

    def account(self, user_id: UserId) -> Account | None:
        return self.account_found

    def email_hash(self, user_id: UserId) -> bytes | None:
        return self.lookup("email", self.account_found.email) if self.account_found else None

    def confirm_email(self, user_id: UserId, email_hash: bytes, now: datetime) -> None:
        self.confirmed.append((user_id, now))

    def save(self, user_id: UserId, code_hash: bytes) -> bool:
        if not self.pause:
            self.saved[user_id] = code_hash
        return not self.pause

    def forget(self, user_id: UserId) -> None:
        del self.saved[user_id]

    spend = forget

    def matches(self, user_id: UserId, code_hash: bytes) -> bool:
        return self.saved.get(user_id) == code_hash

    def send_code(self, address: str, code: str, language: str) -> None:
        assert self.saved  # a code is saved before it is mailed
        if self.mail_unavailable:
            raise ServiceUnavailable()
        self.mailed.append((address, code, language))

    def lookup(self, kind: str, text: str) -> bytes:
        return f"{kind}/{text}".encode()

    def send(self, language: str = "ko") -> None:
        CodeSending(self, self, self.lookup, self, lambda: "004217").send(HONG.id, language)

    def confirm(self, code: str, user_id: UserId = HONG.id) -> None:
        CodeConfirmation(self, self, self.lookup, lambda: NOW).confirm(user_id, code)


def test_the_code_that_was_mailed_proves_the_address_once() -> None:
    fakes = Fakes()
    fakes.send("en")
    assert fakes.mailed == [("Hong@example.com", "004217", "en")]
    fakes.confirm("004217")
    assert fakes.confirmed == [(HONG.id, NOW)]
    with pytest.raises(DomainError) as error:
        fakes.confirm("004217")
    assert type(error.value) is CodeInvalid


def test_a_code_proves_no_address_but_the_one_it_was_mailed_to() -> None:
    fakes = Fakes()
    fakes.send()
    fakes.account_found = replace(HONG, email="corrected@example.com")
    with pytest.raises(DomainError) as error:
        fakes.confirm("004217")
    assert type(error.value) is CodeInvalid
    assert fakes.confirmed == []


@pytest.mark.parametrize("code", ["004218", "4217", "", "004217 ", "００４２１７", "x" * 100])
def test_a_wrong_code_does_not_verify_the_address(code: str) -> None:
    fakes = Fakes()
    fakes.send()
    with pytest.raises(DomainError) as error:
        fakes.confirm(code)
    assert type(error.value) is CodeInvalid
    assert fakes.confirmed == []


def test_a_code_works_for_its_user_only() -> None:
    fakes = Fakes()
    fakes.send()
    fakes.saved[UserId(UUID(int=8))] = fakes.saved[HONG.id]
    with pytest.raises(DomainError):
        fakes.confirm("004217", UserId(UUID(int=8)))


def test_a_code_is_saved_as_a_keyed_hash() -> None:
    fakes = Fakes()
    fakes.send()
    address = fakes.lookup("email", HONG.email).hex()
    assert fakes.saved == {HONG.id: fakes.lookup("email-code", f"{HONG.id}:{address}:004217")}


def test_no_code_is_mailed_within_a_minute_of_the_last() -> None:
    fakes = Fakes(pause=True)
    fakes.send()
    assert fakes.mailed == []


def test_a_code_that_could_not_be_mailed_is_deleted() -> None:
    fakes = Fakes(mail_unavailable=True)
    with pytest.raises(DomainError):
        fakes.send()
    assert fakes.saved == {}


def test_no_code_is_mailed_for_an_account_that_no_longer_exists() -> None:
    fakes = Fakes(account_found=None)
    with pytest.raises(DomainError) as error:
        fakes.send()
    assert type(error.value) is TokenInvalid
    assert fakes.saved == {}


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield ses_backends[DEFAULT_ACCOUNT_ID][REGION]


@pytest.mark.parametrize(("language", "word"), [("ko", "인증 코드: 004217"), ("en", "Your code: 004217")])
def test_the_mail_has_the_code_in_the_users_language(ses: Any, language: str, word: str) -> None:
    verify_sender("no-reply@example.com")
    verify_sender("no-reply@example.com")
    Mailer("no-reply@example.com").send_code("hong@example.com", "004217", language)
    (mail,) = ses.sent_messages
    assert (mail.source, mail.destinations) == ("no-reply@example.com", {"ToAddresses": ["hong@example.com"]})
    assert word in mail.body


def test_a_mail_that_ses_rejects_is_service_unavailable_and_the_log_has_no_address_or_code(
    ses: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(DomainError) as error:
        Mailer("unverified@example.com").send_code("hong@example.com", "004217", "ko")
    assert type(error.value) is ServiceUnavailable
    assert error.value.__suppress_context__
    logged = " ".join(str(vars(record)) for record in caplog.records)
    assert "mail not sent" in logged
    assert not any(secret in logged for secret in ("004217", "hong@", "unverified@"))
