"""How passwords are hashed and compared (AUTH-014)."""

import json

import bcrypt
import pytest
from pydantic import ValidationError

from functions.auth.adapters.password_hasher import PasswordHasher
from functions.auth.handlers.log_in import LoginBody
from functions.auth.handlers.register_account import RegisterBody
from tests.unit.test_auth_bodies import accepts, sample_body

HASHER = PasswordHasher(cost=4)


def registered(password: str) -> str:
    """What is hashed of a password that is typed at registration."""
    body = RegisterBody.model_validate_json(json.dumps({**sample_body("register_account"), "password": password}))
    return body.password.get_secret_value()


def offered(password: str) -> str:
    """What is compared of a password that is typed at login."""
    body = LoginBody.model_validate_json(json.dumps({**sample_body("log_in"), "password": password}))
    return body.password.get_secret_value()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("caf\u00e9-seoul-1", "cafe\u0301-seoul-1"),  # é, and e with an accent
        ("비밀번호-123", "비밀번호-123".encode().decode()),
        ("비밀번호-123", "\u1107\u1175\u1106\u1175\u11af\u1107\u1165\u11ab\u1112\u1169-123"),  # conjoining jamo
        ("password-12", "ｐａｓｓｗｏｒｄ－１２"),  # full width
        ("office-\ufb01ne-1", "office-fine-1"),  # a ligature
    ],
)
def test_a_password_is_the_same_from_every_keyboard(first: str, then: str) -> None:
    assert HASHER.matches(offered(then), HASHER.hash(registered(first)))
    assert HASHER.matches(offered(first), HASHER.hash(registered(then)))


@pytest.mark.parametrize(
    "other",
    [
        "раssword-12",  # a Cyrillic er and a
        "password-12\u200b",  # a zero-width space
        "\u202epassword-12",  # right to left
        "Password-12",
        " password-12",
        "password-12\x00",
    ],
)
def test_a_password_that_only_looks_the_same_does_not_match(other: str) -> None:
    assert not HASHER.matches(offered(other), HASHER.hash(registered("password-12")))


@pytest.mark.parametrize(
    ("password", "valid"),
    [
        ("가" * 23 + "1", True),  # 70 bytes
        ("가" * 24 + "1", False),  # 73
        ("\ufb03" * 23 + "1", True),  # ffi ligatures: 70 bytes of them are 70 letters
        ("\ufdfa" + "1" * 20, True),  # one letter that is eighteen: 33 characters, 53 bytes
        ("\ufdfa" * 3 + "1", False),  # ten bytes typed, 100 hashed
        ("１" * 9 + "ａ", True),  # full width: 30 bytes typed, ten hashed
        ("１" * 8 + "ａ", False),  # nine hashed
        ("\u202epassword-12", True),
        ("password-12\x00", False),
        ("password\u0661\u0662", True),  # Arabic-Indic digits
        ("⁹⁸⁷⁶⁵⁴³²¹a", True),  # superscripts are digits in NFKC
    ],
)
def test_a_new_password_is_measured_in_nfkc(password: str, valid: bool) -> None:
    assert accepts(RegisterBody, {**sample_body("register_account"), "password": password}) is valid


@pytest.mark.parametrize("surrogate", ["\\ud800", "\\udfff", "\\ud800\\ud800", "\\udc00\\ud800"])
@pytest.mark.parametrize("place", ["{}password-12", "password-12{}"])
def test_a_lone_surrogate_is_rejected(surrogate: str, place: str) -> None:
    body = json.dumps({**sample_body("log_in"), "password": "here"}).replace("here", place.format(surrogate))
    with pytest.raises(ValidationError):
        LoginBody.model_validate_json(body)


def test_a_password_is_compared_whole_although_bcrypt_reads_72_bytes() -> None:
    longest = "a1" * 36
    stored = HASHER.hash(longest)
    assert HASHER.matches(longest, stored)
    assert not HASHER.matches(longest + "more", stored)


def test_a_password_repeated_after_a_nul_does_not_match() -> None:
    stored = HASHER.hash("abcdefghi1")
    assert bcrypt.checkpw(b"abcdefghi1\0abcdefghi1", stored.encode())  # why the hasher checks for NUL
    assert not HASHER.matches("abcdefghi1\0abcdefghi1", stored)


class CountingRounds:
    """Replaces bcrypt and sums the rounds of all calls."""

    def __init__(self) -> None:
        self.rounds = 0

    def checkpw(self, password: bytes, hashed: bytes) -> bool:
        self.rounds += 2 ** int(hashed.split(b"$")[2])
        return bcrypt.checkpw(password, hashed)


@pytest.mark.parametrize(
    "password_hash",
    [None, HASHER.hash("abcdefghi1"), PasswordHasher(6).hash("abcdefghi1")],
    ids=["no account", "cost 4", "cost 6"],
)
@pytest.mark.parametrize("password", ["abcdefghi1", "wrong", "x" * 1000])
def test_comparing_takes_as_long_without_an_account_and_for_hashes_of_lower_cost(
    monkeypatch: pytest.MonkeyPatch, password_hash: str | None, password: str
) -> None:
    counting = CountingRounds()
    monkeypatch.setattr("functions.auth.adapters.password_hasher.bcrypt", counting)
    PasswordHasher(cost=7).matches(password, password_hash)
    assert counting.rounds == 2**7


@pytest.mark.parametrize("password", ["", "abcdefghi1", "\x00"])
def test_no_password_matches_without_a_hash(password: str) -> None:
    assert not HASHER.matches(password, None)


def test_a_hash_of_another_cost_is_outdated() -> None:
    assert PasswordHasher(5).is_outdated(HASHER.hash("abcdefghi1"))
    assert not HASHER.is_outdated(HASHER.hash("abcdefghi1"))
