"""A token alone changes no password and withdraws no account (AUTH-015, AUTH-016, AUTH-018)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from common.domain.ids import SessionId, UserId
from common.domain.shared_errors import AccountInUse, DomainError, ServiceUnavailable
from functions.auth.domain.account import OwnershipProof
from functions.auth.domain.errors import AccountLocked, IdentityNotVerified, InvalidCredentials
from functions.auth.domain.verified_person import VerifiedPerson
from functions.auth.usecases.password_confirmed_changes import PasswordConfirmedChanges
from functions.auth.usecases.password_reset import PasswordReset

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)
USER, SESSION = UserId(UUID(int=7)), SessionId(UUID(int=9))
PASSWORD, HASH = "correct-horse-7", "hash of correct-horse-7"
OWN = OwnershipProof(b"email of hong@example.com", b"ci of hong", b"identity-verification of v-1")


class Fakes:
    """Accounts, hasher, lockout and PortOne in one; `done` is what was written."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.ended: list[tuple[str, Any]] = []
        self.locked = False
        self.changed_meanwhile = False
        self.purchases_error: DomainError | None = None
        self.people: dict[str, VerifiedPerson | None] = {"v-1": VerifiedPerson("홍길동", None, "hong"), "v-2": None}
        self.people |= {"v-3": VerifiedPerson("이몽룡", None, "lee"), "v-4": VerifiedPerson("홍길동", None, None)}
        self.account = PasswordConfirmedChanges(self, self, self, self, lambda: NOW)
        self.forgotten = PasswordReset(
            self, self, self, lambda kind, text: f"{kind} of {text}".encode(), self, lambda: NOW
        )

    def password_hash(self, user_id: UserId) -> str | None:
        return HASH if user_id == USER else None

    def change_password(self, *what: object) -> bool:
        return self._write("changed", *what)

    def close(self, user_id: UserId, *, cancel: bool) -> None:
        """The purchases."""
        if self.purchases_error:
            raise self.purchases_error
        self.done.append(("closed", user_id, cancel))

    def withdraw(self, *what: object) -> bool:
        return self._write("withdrawn", *what)

    def owner(self, proof: OwnershipProof) -> UserId | None:
        return USER if proof == OWN else None

    def reset_password(self, *what: object) -> bool:
        return self._write("reset", *what)

    def _write(self, *what: object) -> bool:
        if not self.changed_meanwhile:
            self.done.append(what)
        return not self.changed_meanwhile

    def person(self, verification_id: str) -> VerifiedPerson | None:
        return self.people[verification_id]

    def hash(self, password: str) -> str:
        return f"hash of {password}"

    def matches(self, password: str, password_hash: str | None) -> bool:
        return f"hash of {password}" == password_hash

    def check(self, owner: bytes, network: bytes, /, *, known_network: bool) -> Any:
        if self.locked:
            raise AccountLocked()
        return owner, network, known_network

    def failed(self, attempt: Any, /) -> None:
        self.ended.append(("failed", attempt))

    def passed(self, attempt: Any, /) -> None:
        self.ended.append(("passed", attempt))


def error_of(call: Callable[[], None]) -> type[DomainError]:
    with pytest.raises(DomainError) as error:
        call()
    assert not error.value.details
    return type(error.value)


def test_the_current_password_allows_a_new_one() -> None:
    fakes = Fakes()
    fakes.account.change_password(USER, SESSION, PASSWORD, "another-horse-8")
    assert fakes.done == [("changed", USER, HASH, "hash of another-horse-8", SESSION, NOW)]


@pytest.mark.parametrize("cancel", [True, False])
def test_the_password_allows_a_withdrawal_once_the_purchases_are_closed(cancel: bool) -> None:
    fakes = Fakes()
    fakes.account.withdraw(USER, SESSION, PASSWORD, fakes, cancel=cancel)
    assert fakes.done == [("closed", USER, cancel), ("withdrawn", USER, HASH, NOW)]


@pytest.mark.parametrize("error", [AccountInUse({"tickets": ["t"]}), ServiceUnavailable()])
def test_an_account_stays_while_its_purchases_are_live_or_cannot_be_asked(error: DomainError) -> None:
    fakes = Fakes()
    fakes.purchases_error = error
    with pytest.raises(type(error)):
        fakes.account.withdraw(USER, SESSION, PASSWORD, fakes, cancel=False)
    assert fakes.done == []


CHANGES: list[Callable[[Fakes, UserId, str], None]] = [
    lambda fakes, user, password: fakes.account.change_password(user, SESSION, password, "another-horse-8"),
    lambda fakes, user, password: fakes.account.withdraw(user, SESSION, password, fakes, cancel=True),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("user", "password"), [(USER, "wrong-horse-7"), (UserId(UUID(int=8)), PASSWORD)])
def test_a_wrong_password_and_one_for_a_withdrawn_account_count_as_failed(
    change: Callable[[Fakes, UserId, str], None], user: UserId, password: str
) -> None:
    fakes = Fakes()
    assert error_of(lambda: change(fakes, user, password)) is InvalidCredentials
    assert fakes.ended == [("failed", (user.bytes, SESSION.bytes, True))]
    assert fakes.done == []


@pytest.mark.parametrize("change", CHANGES)
def test_the_correct_password_counts_as_passed(change: Callable[[Fakes, UserId, str], None]) -> None:
    fakes = Fakes()
    change(fakes, USER, PASSWORD)
    assert fakes.ended == [("passed", (USER.bytes, SESSION.bytes, True))]


@pytest.mark.parametrize("change", CHANGES)
def test_while_locked_the_password_is_not_compared(
    change: Callable[[Fakes, UserId, str], None],
) -> None:
    fakes = Fakes()
    fakes.locked = True
    assert error_of(lambda: change(fakes, USER, PASSWORD)) is AccountLocked
    assert fakes.done == fakes.ended == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_password_that_was_changed_meanwhile_is_wrong(change: Callable[[Fakes, UserId, str], None]) -> None:
    fakes = Fakes()
    fakes.changed_meanwhile = True
    assert error_of(lambda: change(fakes, USER, PASSWORD)) is InvalidCredentials


def test_the_verified_owner_sets_a_new_password() -> None:
    fakes = Fakes()
    fakes.forgotten.reset("hong@example.com", "v-1", "another-horse-8")
    assert fakes.done == [("reset", USER, "hash of another-horse-8", OWN, NOW)]


@pytest.mark.parametrize(
    ("email", "verification"),
    [
        ("nobody@example.com", "v-1"),
        ("hong@example.com", "v-2"),  # not completed
        ("hong@example.com", "v-3"),  # another person
        ("hong@example.com", "v-4"),  # without a ci
    ],
)
def test_every_other_reset_raises_the_same_error(email: str, verification: str) -> None:
    fakes = Fakes()
    assert error_of(lambda: fakes.forgotten.reset(email, verification, "another-horse-8")) is IdentityNotVerified
    assert fakes.done == []


def test_an_account_withdrawn_meanwhile_has_no_password_to_reset() -> None:
    fakes = Fakes()
    fakes.changed_meanwhile = True
    reset = lambda: fakes.forgotten.reset("hong@example.com", "v-1", "another-horse-8")  # noqa: E731
    assert error_of(reset) is IdentityNotVerified


def test_printing_a_proof_shows_nothing() -> None:
    assert repr(OWN) == "OwnershipProof()"
