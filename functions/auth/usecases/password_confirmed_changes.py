"""Changes that a logged-in user confirms with the password: a stolen token is not enough (AUTH-016, AUTH-018)."""

from datetime import datetime
from typing import Protocol

from common.domain.clock import Clock
from common.domain.ids import SessionId, UserId
from functions.auth.domain.errors import InvalidCredentials
from functions.auth.usecases.ports import Hasher, LoginLockout


class Accounts(Protocol):
    def password_hash(self, user_id: UserId) -> str | None: ...


class Changes(Protocol):
    def change_password(
        self, user_id: UserId, old_hash: str, new_hash: str, session_id: SessionId, now: datetime
    ) -> bool: ...

    def withdraw(self, user_id: UserId, password_hash: str, now: datetime) -> bool: ...


class Purchases(Protocol):
    def close(self, user_id: UserId, *, cancel: bool) -> None:
        """No seats are held for the user for a minute. Raises AccountInUse and ServiceUnavailable."""


class PasswordConfirmedChanges:
    def __init__(
        self,
        accounts: Accounts,
        changes: Changes,
        hasher: Hasher,
        lockout: LoginLockout,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._changes = changes
        self._hasher = hasher
        self._lockout = lockout
        self._clock = clock

    def change_password(self, user_id: UserId, session_id: SessionId, current: str, new: str) -> None:
        """Ends the user's other sessions. Raises InvalidCredentials, or AccountLocked after too many of them."""
        confirmed_hash = self._confirm(user_id, session_id, current)
        new_hash = self._hasher.hash(new)
        if not self._changes.change_password(user_id, confirmed_hash, new_hash, session_id, self._clock()):
            raise InvalidCredentials()

    def withdraw(
        self, user_id: UserId, session_id: SessionId, password: str, purchases: Purchases, *, cancel: bool
    ) -> None:
        """Ends the account. Raises the same errors as `change_password`, and AccountInUse while something is live that
        is not to be cancelled.

        Purchases are closed first. If the process crashes after that, or they cannot be asked, the account stays and
        the request can be repeated.
        """
        confirmed_hash = self._confirm(user_id, session_id, password)
        purchases.close(user_id, cancel=cancel)
        if not self._changes.withdraw(user_id, confirmed_hash, self._clock()):
            raise InvalidCredentials()

    def _confirm(self, user_id: UserId, session_id: SessionId, password: str) -> str:
        """Returns the hash that `password` matched."""
        # Each session counts as a network of its own: guessing with a stolen token does not lock the others out.
        attempt = self._lockout.check(user_id.bytes, session_id.bytes, known_network=True)
        password_hash = self._accounts.password_hash(user_id)
        if not self._hasher.matches(password, password_hash) or password_hash is None:
            self._lockout.failed(attempt)
            raise InvalidCredentials()
        self._lockout.passed(attempt)
        return password_hash
