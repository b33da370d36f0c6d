"""Signing in with an e-mail address and a password (AUTH-003, AUTH-006)."""

from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

from common.domain.shared_errors import DomainError
from functions.auth.domain.account import Credentials
from functions.auth.domain.caller import Caller
from functions.auth.domain.errors import InvalidCredentials
from functions.auth.domain.login_record import Method, Past
from functions.auth.usecases.sessions import Sessions, TokenPair


class Captcha(Protocol):
    def check(self, token: str) -> None:
        """Raises CAPTCHA_FAILED, or SERVICE_UNAVAILABLE when nobody can tell."""


class Accounts(Protocol):
    def credentials(self, email: str) -> Credentials | None: ...

    def renew_hash(self, user_id: UUID, old_hash: str, new_hash: str) -> None:
        """Unless the password is another by now."""


class Hasher(Protocol):
    def hash(self, password: str) -> str: ...

    def matches(self, password: str, password_hash: str | None) -> bool:
        """False for no hash, after as long as for one."""

    def is_outdated(self, password_hash: str) -> bool: ...


class Lockout(Protocol):
    def check(self, whose: bytes, where: bytes, /, *, known_network: bool) -> Any:
        """The attempt to settle. Raises ACCOUNT_LOCKED after too many wrong ones."""

    def failed(self, attempt: Any, /) -> None: ...

    def passed(self, attempt: Any, /) -> None: ...


class History(Protocol):
    def past(self, user_id: UUID | None, caller: Caller) -> Past: ...

    def failed(self, user_id: UUID | None, email_hash: bytes, caller: Caller) -> None: ...

    def succeeded(self, user_id: UUID, caller: Caller, method: Method, past: Past) -> None: ...


class SignIn:
    """`lookup(kind, text)` is the vault's."""

    def __init__(
        self,
        captcha: Captcha,
        accounts: Accounts,
        lookup: Callable[[str, str], bytes],
        lockout: Lockout,
        hasher: Hasher,
        history: History,
        sessions: Sessions,
    ) -> None:
        self._captcha = captcha
        self._accounts = accounts
        self._lookup = lookup
        self._lockout = lockout
        self._hasher = hasher
        self._history = history
        self._sessions = sessions

    def sign_in(self, email: str, password: str, captcha_token: str, caller: Caller) -> TokenPair:
        """Raises InvalidCredentials, or ACCOUNT_LOCKED after too many of these: alike, after the same questions asked
        and the same line written, for a wrong password, for no such account and for one that was withdrawn.

        An attempt refused for a lock leaves no line: whoever guesses on would fill the table. Die before the session is
        opened, and the history has a sign-in that its owner sees no more of.
        """
        self._captcha.check(captcha_token)
        found = self._accounts.credentials(email)
        user_id = found.user_id if found else None
        past = self._history.past(user_id, caller)
        address, network = self._lookup("email", email), self._lookup("network", caller.network)
        attempt = self._lockout.check(address, network, known_network=past.known_network)
        if not self._hasher.matches(password, found.password_hash if found else None) or found is None:
            self._lockout.failed(attempt)
            self._history.failed(user_id, address, caller)
            raise InvalidCredentials()
        self._lockout.passed(attempt)
        self._history.succeeded(found.user_id, caller, Method.PASSWORD, past)
        pair = self._open(found, email, password)
        if self._hasher.is_outdated(found.password_hash):
            self._accounts.renew_hash(found.user_id, found.password_hash, self._hasher.hash(password))
        return pair

    def _open(self, found: Credentials, email: str, password: str) -> TokenPair:
        try:
            return self._sessions.open(found.user_id, found.role, found.password_hash)
        except DomainError:
            # Another hash by now. If a sign-in beside this one renewed it, it is of the same password.
            now = self._accounts.credentials(email)
            if now is None or not self._hasher.matches(password, now.password_hash):
                raise
            return self._sessions.open(now.user_id, now.role, now.password_hash)
