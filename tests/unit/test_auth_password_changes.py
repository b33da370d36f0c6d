"""A token alone changes no password and ends no account (AUTH-015, AUTH-016, AUTH-018)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from common.domain.shared_errors import DomainError
from functions.auth.domain.errors import AccountLocked, IdentityNotVerified, InvalidCredentials
from functions.auth.usecases.confirmed_changes import OwnAccount
from functions.auth.usecases.password_reset import ForgottenPassword, Proof
from functions.auth.usecases.registration import Person

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)
USER, SESSION = UUID(int=7), UUID(int=9)
PASSWORD, HASH = "correct-horse-7", "hash of correct-horse-7"
OWN = Proof(b"email of hong@example.com", b"ci of hong", b"identity-verification of v-1")


class Town:
    """Accounts, hasher, lockout and PortOne in one; `done` is what was written."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.settled: list[tuple[str, Any]] = []
        self.locked = False
        self.changed_meanwhile = False
        self.people: dict[str, Person | None] = {"v-1": Person("홍길동", None, "hong"), "v-2": None}
        self.people |= {"v-3": Person("이몽룡", None, "lee"), "v-4": Person("홍길동", None, None)}
        self.account = OwnAccount(self, self, self, lambda: NOW)
        self.forgotten = ForgottenPassword(
            self, self, lambda kind, text: f"{kind} of {text}".encode(), self, lambda: NOW
        )

    def password_hash(self, user_id: UUID) -> str | None:
        return HASH if user_id == USER else None

    def change_password(self, *what: object) -> bool:
        return self._write("changed", *what)

    def withdraw(self, *what: object) -> bool:
        return self._write("withdrawn", *what)

    def owner(self, proof: Proof) -> UUID | None:
        return USER if proof == OWN else None

    def reset_password(self, *what: object) -> bool:
        return self._write("reset", *what)

    def _write(self, *what: object) -> bool:
        if not self.changed_meanwhile:
            self.done.append(what)
        return not self.changed_meanwhile

    def person(self, verification_id: str) -> Person | None:
        return self.people[verification_id]

    def hash(self, password: str) -> str:
        return f"hash of {password}"

    def matches(self, password: str, password_hash: str | None) -> bool:
        return f"hash of {password}" == password_hash

    def check(self, whose: bytes, where: bytes, /, *, known_network: bool) -> Any:
        if self.locked:
            raise AccountLocked()
        return whose, where, known_network

    def failed(self, attempt: Any, /) -> None:
        self.settled.append(("failed", attempt))

    def passed(self, attempt: Any, /) -> None:
        self.settled.append(("passed", attempt))


def refused(call: Callable[[], None]) -> type[DomainError]:
    with pytest.raises(DomainError) as refusal:
        call()
    assert not refusal.value.details
    return type(refusal.value)


def test_the_current_password_changes_it_in_this_session() -> None:
    town = Town()
    town.account.change_password(USER, SESSION, PASSWORD, "another-horse-8")
    assert town.done == [("changed", USER, HASH, "hash of another-horse-8", SESSION, NOW)]


def test_the_password_ends_the_account() -> None:
    town = Town()
    town.account.withdraw(USER, SESSION, PASSWORD)
    assert town.done == [("withdrawn", USER, HASH, NOW)]


ASKS: list[Callable[[Town, UUID, str], None]] = [
    lambda town, user, password: town.account.change_password(user, SESSION, password, "another-horse-8"),
    lambda town, user, password: town.account.withdraw(user, SESSION, password),
]


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(("user", "password"), [(USER, "wrong-horse-7"), (UUID(int=8), PASSWORD)])
def test_a_wrong_password_counts_and_so_does_any_for_an_account_that_is_gone(
    ask: Callable[[Town, UUID, str], None], user: UUID, password: str
) -> None:
    town = Town()
    assert refused(lambda: ask(town, user, password)) is InvalidCredentials
    assert town.settled == [("failed", (user.bytes, SESSION.bytes, True))]
    assert town.done == []


@pytest.mark.parametrize("ask", ASKS)
def test_the_right_one_is_settled_as_right(ask: Callable[[Town, UUID, str], None]) -> None:
    town = Town()
    ask(town, USER, PASSWORD)
    assert town.settled == [("passed", (USER.bytes, SESSION.bytes, True))]


@pytest.mark.parametrize("ask", ASKS)
def test_after_too_many_wrong_ones_the_right_one_is_not_even_compared(ask: Callable[[Town, UUID, str], None]) -> None:
    town = Town()
    town.locked = True
    assert refused(lambda: ask(town, USER, PASSWORD)) is AccountLocked
    assert town.done == town.settled == []


@pytest.mark.parametrize("ask", ASKS)
def test_a_password_that_was_changed_meanwhile_is_wrong(ask: Callable[[Town, UUID, str], None]) -> None:
    town = Town()
    town.changed_meanwhile = True
    assert refused(lambda: ask(town, USER, PASSWORD)) is InvalidCredentials


def test_who_is_verified_to_be_the_owner_sets_a_new_password() -> None:
    town = Town()
    town.forgotten.reset("hong@example.com", "v-1", "another-horse-8")
    assert town.done == [("reset", USER, "hash of another-horse-8", OWN, NOW)]


@pytest.mark.parametrize(
    ("email", "verification"),
    [
        ("nobody@example.com", "v-1"),
        ("hong@example.com", "v-2"),  # not completed
        ("hong@example.com", "v-3"),  # another person
        ("hong@example.com", "v-4"),  # without a ci
    ],
)
def test_nobody_else_sets_one_and_all_are_told_the_same(email: str, verification: str) -> None:
    town = Town()
    assert refused(lambda: town.forgotten.reset(email, verification, "another-horse-8")) is IdentityNotVerified
    assert town.done == []


def test_an_account_withdrawn_meanwhile_has_no_password_to_reset() -> None:
    town = Town()
    town.changed_meanwhile = True
    asked = lambda: town.forgotten.reset("hong@example.com", "v-1", "another-horse-8")  # noqa: E731
    assert refused(asked) is IdentityNotVerified


def test_a_proof_prints_nothing_of_what_it_holds() -> None:
    assert repr(OWN) == "Proof()"
