"""What a signed-in user is asked the password for once more: a stolen token must not do (AUTH-016, AUTH-018)."""

from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from common.domain.clock import Clock
from functions.auth.domain.errors import InvalidCredentials


class Accounts(Protocol):
    def password_hash(self, user_id: UUID) -> str | None: ...

    def change_password(self, user_id: UUID, old_hash: str, new_hash: str, session_id: UUID, now: datetime) -> bool: ...

    def withdraw(self, user_id: UUID, password_hash: str, now: datetime) -> bool: ...


class Hasher(Protocol):
    def hash(self, password: str) -> str: ...

    def matches(self, password: str, password_hash: str | None) -> bool: ...


class Lockout(Protocol):
    def check(self, whose: bytes, where: bytes, /, *, known_network: bool) -> Any:
        """The attempt to settle. Raises ACCOUNT_LOCKED after too many wrong ones."""

    def failed(self, attempt: Any, /) -> None: ...

    def passed(self, attempt: Any, /) -> None: ...


class OwnAccount:
    def __init__(self, accounts: Accounts, hasher: Hasher, lockout: Lockout, clock: Clock) -> None:
        self._accounts = accounts
        self._hasher = hasher
        self._lockout = lockout
        self._clock = clock

    def change_password(self, user_id: UUID, session_id: UUID, current: str, new: str) -> None:
        """Ends the user's other sessions. Raises InvalidCredentials, or ACCOUNT_LOCKED after too many of these."""
        proven = self._proven(user_id, session_id, current)
        new_hash = self._hasher.hash(new)
        if not self._accounts.change_password(user_id, proven, new_hash, session_id, self._clock()):
            raise InvalidCredentials()

    def withdraw(self, user_id: UUID, session_id: UUID, password: str) -> None:
        """Ends the account. Raises as `change_password`."""
        proven = self._proven(user_id, session_id, password)
        if not self._accounts.withdraw(user_id, proven, self._clock()):
            raise InvalidCredentials()

    def _proven(self, user_id: UUID, session_id: UUID, password: str) -> str:
        """The hash that `password` was compared with."""
        # A session counts as a place of its own: whoever stole one does not lock the owner out of the others.
        attempt = self._lockout.check(user_id.bytes, session_id.bytes, known_network=True)
        password_hash = self._accounts.password_hash(user_id)
        if not self._hasher.matches(password, password_hash) or password_hash is None:
            self._lockout.failed(attempt)
            raise InvalidCredentials()
        self._lockout.passed(attempt)
        return password_hash
