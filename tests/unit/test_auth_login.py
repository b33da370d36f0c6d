"""A failed login reveals nothing about the account (AUTH-003, AUTH-006)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from common.domain.clock import new_id, utc_now
from common.domain.ids import SessionId, UserId
from common.domain.shared_errors import CaptchaFailed, DomainError
from functions.auth.adapters.password_hasher import PasswordHasher
from functions.auth.domain.account import AccountStatus, Credentials, Role
from functions.auth.domain.caller import Caller
from functions.auth.domain.errors import AccountLocked, InvalidCredentials
from functions.auth.domain.login_record import CallerHistory, LoginMethod
from functions.auth.domain.session import (
    AccessToken,
    IssuedPair,
    RefreshFailure,
    RefreshingDevice,
    ReusedToken,
    TokenHolder,
    TokenPair,
    token_hash,
)
from functions.auth.usecases.login import Login
from functions.auth.usecases.sessions import Sessions

USER = UserId(UUID(int=7))
HONG, PASSWORD, WRONG, HUMAN = "hong@example.com", "correct-horse-7", "wrong-password-1", "human"
HOME = Caller("203.0.113.7", "a browser")
HASH = PasswordHasher(cost=4).hash(PASSWORD)
OLD_HASH = PasswordHasher(cost=5).hash(PASSWORD)


class Fakes:
    """Captcha, accounts, lockout, history, bcrypt at its lowest cost, session records and signer in one, with the
    calls in order."""

    seconds = 3600

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.accounts = {HONG: Credentials(USER, Role.USER, HASH)}
        self.known_network = False
        self.locked = False
        self.renewed: list[tuple[str, str]] = []
        self.begun: list[tuple[UserId, bytes, timedelta, str | None]] = []
        self.hasher = PasswordHasher(cost=4)
        self.sessions = Sessions(self, self, self, utc_now, new_id, lambda: "refresh", timedelta(days=7), timedelta(0))

    def log_in(self, email: str = HONG, password: str = PASSWORD, captcha_token: str = HUMAN) -> TokenPair:
        self.calls.clear()
        service = Login(_Captcha(self), self, self.lookup, _Lockout(self), self, _History(self), self.sessions)
        return service.log_in(email, password, captcha_token, HOME)

    def error_of(self, email: str = HONG, password: str = WRONG) -> type[DomainError]:
        with pytest.raises(DomainError) as error:
            self.log_in(email, password)
        return type(error.value)

    def lookup(self, kind: str, text: str) -> bytes:
        return f"{kind}:{text}".encode()

    def credentials(self, email: str) -> Credentials | None:
        self.calls.append("account")
        return self.accounts.get(email)

    def renew_hash(self, user_id: UserId, old_hash: str, new_hash: str) -> None:
        self.renewed.append((old_hash, new_hash))

    def hash(self, password: str) -> str:
        return self.hasher.hash(password)

    def matches(self, password: str, password_hash: str | None) -> bool:
        self.calls.append("bcrypt")
        return self.hasher.matches(password, password_hash)

    def is_outdated(self, password_hash: str) -> bool:
        return self.hasher.is_outdated(password_hash)

    def sign(self, user_id: UserId, role: Role, session_id: SessionId, token_id: UUID, now: datetime) -> str:
        return f"token of {user_id} {role}"

    def begin(
        self, session_id: SessionId, user_id: UserId, first: IssuedPair, now: datetime, password_hash: str | None
    ) -> bool:
        self.calls.append("session")
        self.begun.append((user_id, first.token_hash, first.expires_at - now, password_hash))
        return password_hash == self.accounts[HONG].password_hash

    def exchange(
        self, token_hash: bytes, successor: IssuedPair, device: RefreshingDevice, now: datetime
    ) -> TokenHolder | ReusedToken | RefreshFailure:
        raise NotImplementedError

    def add(self, tokens: Sequence[AccessToken], now: datetime) -> None:
        raise NotImplementedError


class _Captcha:
    def __init__(self, fakes: Fakes) -> None:
        self.fakes = fakes

    def check(self, token: str, action: str) -> None:
        assert action == "login"
        self.fakes.calls.append("captcha")
        if token != HUMAN:
            raise CaptchaFailed()


class _Lockout:
    def __init__(self, fakes: Fakes) -> None:
        self.fakes = fakes

    def check(self, owner: bytes, network: bytes, /, *, known_network: bool) -> str:
        self.fakes.calls.append("lockout")
        assert network == b"network:203.0.113.0/24"
        assert known_network is self.fakes.known_network
        if self.fakes.locked:
            raise AccountLocked()
        return owner.decode()

    def failed(self, attempt: str, /) -> None:
        self.fakes.calls.append("count wrong")

    def passed(self, attempt: str, /) -> None:
        self.fakes.calls.append("count right")


class _History:
    def __init__(self, fakes: Fakes) -> None:
        self.fakes = fakes

    def of_caller(self, user_id: UserId | None, caller: Caller) -> CallerHistory:
        self.fakes.calls.append("history")
        return CallerHistory(False, self.fakes.known_network, False, 0)

    def failed(self, user_id: UserId | None, email_hash: bytes, caller: Caller) -> None:
        self.fakes.calls.append("write failure")

    def succeeded(self, user_id: UserId, caller: Caller, method: LoginMethod, history: CallerHistory) -> None:
        assert method is LoginMethod.PASSWORD
        self.fakes.calls.append("write success")


def test_the_correct_password_opens_a_session_of_a_week_stored_by_hash_only() -> None:
    fakes = Fakes()
    pair = fakes.log_in()
    assert (pair.access_token, pair.refresh_token, pair.expires_in) == (f"token of {USER} USER", "refresh", 3600)
    assert fakes.begun == [(USER, token_hash("refresh"), timedelta(days=7), HASH)]


@pytest.mark.parametrize("email", ["hong@example.com", "nobody@example.com", "dormant@example.com"])
@pytest.mark.parametrize("password", ["wrong-password-1", "가" * 300, "\x00", PASSWORD + "\x00" + PASSWORD])
def test_every_failure_has_the_same_error_after_the_same_steps(email: str, password: str) -> None:
    fakes = Fakes()
    fakes.accounts["dormant@example.com"] = Credentials(UserId(UUID(int=8)), Role.USER, HASH, AccountStatus.DORMANT)
    assert fakes.error_of(email, password) is InvalidCredentials
    assert fakes.calls == ["captcha", "account", "history", "lockout", "bcrypt", "count wrong", "write failure"]


def test_without_a_captcha_no_other_step_runs() -> None:
    fakes = Fakes()
    with pytest.raises(DomainError) as error:
        fakes.log_in(captcha_token="robot")
    assert type(error.value) is CaptchaFailed
    assert fakes.calls == ["captcha"]


@pytest.mark.parametrize("email", ["hong@example.com", "nobody@example.com"])
@pytest.mark.parametrize("password", ["wrong-password-1", PASSWORD])
def test_while_locked_no_password_is_compared(email: str, password: str) -> None:
    fakes = Fakes()
    fakes.locked = True
    assert fakes.error_of(email, password) is AccountLocked
    assert "bcrypt" not in fakes.calls


def test_a_success_is_recorded_before_the_session_opens() -> None:
    fakes = Fakes()
    fakes.known_network = True
    fakes.log_in()
    granted = ["captcha", "account", "history", "lockout", "bcrypt", "count right", "write success", "session"]
    assert fakes.calls == granted


def test_a_hash_of_another_cost_is_renewed_by_a_correct_password_only() -> None:
    fakes = Fakes()
    fakes.accounts[HONG] = Credentials(USER, Role.USER, OLD_HASH)
    fakes.error_of()
    assert fakes.renewed == []
    fakes.log_in()
    ((old, new),) = fakes.renewed
    assert old == OLD_HASH
    assert new.startswith("$2b$04$")
    assert fakes.hasher.matches(PASSWORD, new)
    fakes.accounts[HONG] = Credentials(USER, Role.USER, new)
    fakes.log_in()
    assert len(fakes.renewed) == 1


class Meanwhile(Fakes):
    """The account's hash becomes another while a password is compared with the old one."""

    def __init__(self, becomes: str | None) -> None:
        super().__init__()
        self.becomes = becomes

    def matches(self, password: str, password_hash: str | None) -> bool:
        matches = super().matches(password, password_hash)
        if self.becomes is None:
            self.accounts.pop(HONG, None)
        else:
            self.accounts[HONG] = Credentials(USER, Role.USER, self.becomes)
        return matches

    def begin(self, *arguments: object) -> bool:
        return self.becomes is not None and arguments[-1] == self.becomes


def test_a_hash_renewed_by_a_login_at_the_same_time_still_matches_the_password() -> None:
    assert Meanwhile(becomes=OLD_HASH).log_in()


def test_a_login_fails_if_the_password_changed_or_the_account_was_withdrawn_during_the_comparison() -> None:
    assert Meanwhile(becomes=PasswordHasher(cost=4).hash("another-1")).error_of(password=PASSWORD) is InvalidCredentials
    assert Meanwhile(becomes=None).error_of(password=PASSWORD) is InvalidCredentials
