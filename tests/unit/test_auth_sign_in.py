"""Signing in tells a stranger nothing (AUTH-003, AUTH-006)."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.clock import new_id, utc_now
from common.problem import Refusal
from functions.auth.account import Credentials, Role
from functions.auth.password_hasher import COST, PasswordHasher
from functions.auth.problems import CAPTCHA_FAILED, INVALID_CREDENTIALS
from functions.auth.sessions import Holder, Sessions, Unfit, token_hash
from functions.auth.sign_in import SignIn
from functions.auth.sign_out import SignOut

USER = UUID(int=7)
PASSWORD = "correct-horse-7"


class CountingHasher(PasswordHasher):
    """bcrypt at its least, and how often it was asked."""

    def __init__(self) -> None:
        super().__init__(cost=4)
        self.compared = 0

    def matches(self, password: str, password_hash: str | None) -> bool:
        self.compared += 1
        return super().matches(password, password_hash)


HASHER = CountingHasher()
HASH = HASHER.hash(PASSWORD)


class Town:
    """Captcha, accounts, refresh tokens, blacklist and signer in one."""

    seconds = 3600

    def __init__(self) -> None:
        self.families: list[tuple[UUID, bytes, timedelta]] = []
        self.ended: list[tuple[Any, Any]] = []  # refresh tokens with their user, access tokens with their seconds
        sessions = Sessions(self, self, utc_now, new_id, lambda: "refresh", timedelta(days=7))
        self.sign_in = SignIn(self, self, HASHER, sessions).sign_in
        self.sign_out = SignOut(self, self, utc_now).sign_out

    def check(self, token: str) -> None:
        if token != "human":
            raise CAPTCHA_FAILED.refusal()

    def credentials(self, email: str) -> Credentials | None:
        return Credentials(USER, Role.USER, HASH) if email == "hong@example.com" else None

    def sign(self, user_id: UUID, role: Role, now: datetime) -> str:
        return f"token of {user_id} {role}"

    def begin(self, family_id: UUID, user_id: UUID, token_hash: bytes, now: datetime, expires_at: datetime) -> None:
        self.families.append((user_id, token_hash, expires_at - now))

    def exchange(self, token_hash: bytes, successor_hash: bytes, now: datetime, expires_at: datetime) -> Holder | Unfit:
        raise NotImplementedError

    def revoke(self, token_hash: bytes, user_id: UUID, now: datetime) -> None:
        self.ended.append((token_hash, user_id))

    def add(self, token_id: str, seconds: int) -> None:
        self.ended.append((token_id, seconds))


def test_the_right_password_opens_a_session_of_a_week_kept_by_hash_only() -> None:
    town = Town()
    pair = town.sign_in("hong@example.com", PASSWORD, "human")
    assert (pair.access_token, pair.refresh_token, pair.expires_in) == (f"token of {USER} USER", "refresh", 3600)
    assert town.families == [(USER, token_hash("refresh"), timedelta(days=7))]


@pytest.mark.parametrize("email", ["hong@example.com", "nobody@example.com"])
@pytest.mark.parametrize("password", ["wrong-password-1", "가" * 300, "\x00"])
def test_a_wrong_password_and_no_account_get_the_same_words_after_the_same_work(email: str, password: str) -> None:
    before = HASHER.compared
    with pytest.raises(Refusal) as refusal:
        Town().sign_in(email, password, "human")
    assert refusal.value == INVALID_CREDENTIALS.refusal()
    assert HASHER.compared == before + 1


def test_without_a_captcha_no_password_is_compared() -> None:
    before = HASHER.compared
    with pytest.raises(Refusal) as refusal:
        Town().sign_in("hong@example.com", PASSWORD, "robot")
    assert refusal.value.problem is CAPTCHA_FAILED
    assert HASHER.compared == before


def test_nobodys_hash_costs_as_much_as_an_accounts_and_matches_no_password() -> None:
    hasher = PasswordHasher()
    assert hasher._nobodys.startswith(f"$2b${COST}$")
    assert len(hasher._nobodys) == len(HASH)
    assert not PasswordHasher(4).matches("", None)


def test_a_password_is_compared_whole_although_bcrypt_sees_72_bytes() -> None:
    longest = "a1" * 36
    kept = HASHER.hash(longest)
    assert HASHER.matches(longest, kept)
    assert not HASHER.matches(longest + "more", kept)


def test_signing_out_blacklists_the_access_token_for_what_is_left_of_it_and_last() -> None:
    town = Town()
    expires_at = int(utc_now().timestamp()) + 1800
    town.sign_out(USER, "token-7", expires_at, "refresh")
    first, (token_id, seconds) = town.ended
    assert first == (token_hash("refresh"), USER)
    assert token_id == "token-7"
    assert 1795 <= seconds <= 1800


def test_signing_out_without_a_refresh_token_ends_the_access_token_only() -> None:
    town = Town()
    town.sign_out(uuid4(), "token-7", int(utc_now().timestamp()) + 1800, None)
    assert len(town.ended) == 1


def test_an_access_token_that_just_expired_needs_no_blacklisting() -> None:
    town = Town()
    town.sign_out(USER, "token-7", int(utc_now().timestamp()) - 1, None)
    assert town.ended == []
