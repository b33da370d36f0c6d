"""Verifying an account's address: the user receives a code by mail and sends it back (AUTH-022)."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from common.domain.clock import Clock
from common.domain.ids import UserId
from common.domain.shared_errors import TokenInvalid
from functions.auth.domain.account import Account
from functions.auth.domain.errors import CodeInvalid
from functions.auth.usecases.ports import Lookup


class NewCodes(Protocol):
    def save(self, user_id: UserId, code_hash: bytes) -> bool:
        """Replace the user's code. False within a minute of the last one. Raises RateLimited after ten in a day."""

    def forget(self, user_id: UserId) -> None:
        """As if the code had never been requested."""


class Codes(Protocol):
    def matches(self, user_id: UserId, code_hash: bytes) -> bool:
        """Whether it is the code, while tries are left."""

    def spend(self, user_id: UserId) -> None: ...


class Accounts(Protocol):
    def account(self, user_id: UserId) -> Account | None: ...


class Addresses(Protocol):
    def email_hash(self, user_id: UserId) -> bytes | None: ...

    def confirm_email(self, user_id: UserId, email_hash: bytes, now: datetime) -> None: ...


class Mailer(Protocol):
    def send_code(self, address: str, code: str, language: str) -> None:
        """Raises ServiceUnavailable."""


class CodeSending:
    def __init__(
        self, accounts: Accounts, codes: NewCodes, lookup: Lookup, mailer: Mailer, new_code: Callable[[], str]
    ) -> None:
        self._accounts = accounts
        self._codes = codes
        self._lookup = lookup
        self._mailer = mailer
        self._new_code = new_code

    def send(self, user_id: UserId, language: str) -> None:
        """Does nothing within a minute of the last code. Raises RateLimited, ServiceUnavailable."""
        account = self._accounts.account(user_id)
        if account is None:  # the token outlived its account
            raise TokenInvalid()
        code = self._new_code()
        address = self._lookup("email", account.email)
        if not self._codes.save(user_id, _hash(self._lookup, user_id, address, code)):
            return
        # Saved before it is mailed, so that it is valid when the mail arrives. If the process crashes here, the user
        # can request the next one after a minute.
        try:
            self._mailer.send_code(account.email, code, language)
        except Exception:
            self._codes.forget(user_id)
            raise


class CodeConfirmation:
    def __init__(self, addresses: Addresses, codes: Codes, lookup: Lookup, clock: Clock) -> None:
        self._addresses = addresses
        self._codes = codes
        self._lookup = lookup
        self._clock = clock

    def confirm(self, user_id: UserId, code: str) -> None:
        """Raises CodeInvalid for a code that is wrong, spent or expired."""
        address = self._addresses.email_hash(user_id)
        if address is None or not self._codes.matches(user_id, _hash(self._lookup, user_id, address, code)):
            raise CodeInvalid()
        # If the process crashes before or after this line, the code stays valid: confirming twice changes nothing.
        self._addresses.confirm_email(user_id, address, self._clock())
        self._codes.spend(user_id)


def _hash(lookup: Lookup, user_id: UserId, address: bytes, code: str) -> bytes:
    """Keyed: with a plain hash, any of the million codes could be found by trying all. The code of an address proves no
    other: it may be corrected after the code was mailed (AUTH-023)."""
    return lookup("email-code", f"{user_id}:{address.hex()}:{code}")
