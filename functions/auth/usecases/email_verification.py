"""Proof that an account's address is its owner's: a code is mailed, and comes back (AUTH-022)."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from uuid import UUID

from common.domain.clock import Clock
from common.domain.shared_errors import TokenInvalid
from functions.auth.domain.account import Account
from functions.auth.domain.errors import CodeInvalid


class Codes(Protocol):
    def keep(self, user_id: UUID, code_hash: bytes) -> bool:
        """In place of any before it. False while one was mailed just now; refuses RATE_LIMITED after many in a day."""

    def forget(self, user_id: UUID) -> None:
        """As if it had never been asked for."""

    def matches(self, user_id: UUID, code_hash: bytes) -> bool:
        """Whether it is the code, as long as it may be tried."""

    def spend(self, user_id: UUID) -> None: ...


class Accounts(Protocol):
    def account(self, user_id: UUID) -> Account | None: ...

    def confirm_email(self, user_id: UUID, now: datetime) -> None: ...


class Mailer(Protocol):
    def send_code(self, address: str, code: str, language: str) -> None:
        """Raises SERVICE_UNAVAILABLE."""


Lookup = Callable[[str, str], bytes]  # the vault's


class CodeSending:
    def __init__(
        self, accounts: Accounts, codes: Codes, lookup: Lookup, mailer: Mailer, new_code: Callable[[], str]
    ) -> None:
        self._accounts = accounts
        self._codes = codes
        self._lookup = lookup
        self._mailer = mailer
        self._new_code = new_code

    def send(self, user_id: UUID, language: str) -> None:
        """Nothing happens within a minute of the last one. Raises RATE_LIMITED, SERVICE_UNAVAILABLE."""
        account = self._accounts.account(user_id)
        if account is None:  # the token outlived its account
            raise TokenInvalid()
        code = self._new_code()
        if not self._codes.keep(user_id, _hash(self._lookup, user_id, code)):
            return
        # Kept before it is mailed, so that it is never slower than its reader. Die here and the next is a minute away.
        try:
            self._mailer.send_code(account.email, code, language)
        except Exception:
            self._codes.forget(user_id)
            raise


class CodeConfirmation:
    def __init__(self, accounts: Accounts, codes: Codes, lookup: Lookup, clock: Clock) -> None:
        self._accounts = accounts
        self._codes = codes
        self._lookup = lookup
        self._clock = clock

    def confirm(self, user_id: UUID, code: str) -> None:
        """Raises CodeInvalid for a code that is wrong, spent or expired, alike."""
        if not self._codes.matches(user_id, _hash(self._lookup, user_id, code)):
            raise CodeInvalid()
        # Die before or after this and the code is still good: confirming twice changes nothing more.
        self._accounts.confirm_email(user_id, self._clock())
        self._codes.spend(user_id)


def _hash(lookup: Lookup, user_id: UUID, code: str) -> bytes:
    """Under a key: of a million codes any could be found by its plain hash."""
    return lookup("email-code", f"{user_id}:{code}")
