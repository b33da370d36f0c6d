"""Logging in with an e-mail address and a password (AUTH-003, AUTH-006)."""

from typing import Protocol

from common.domain.ids import UserId
from common.domain.shared_errors import DomainError
from functions.auth.domain.account import Credentials
from functions.auth.domain.caller import Caller
from functions.auth.domain.errors import InvalidCredentials
from functions.auth.domain.login_record import CallerHistory, LoginMethod
from functions.auth.domain.session import TokenPair
from functions.auth.usecases import ports
from functions.auth.usecases.sessions import Sessions


class Accounts(Protocol):
    def credentials(self, email: str) -> Credentials | None: ...

    def renew_hash(self, user_id: UserId, old_hash: str, new_hash: str) -> None:
        """Does nothing if the password has changed."""


class Hasher(ports.Hasher, Protocol):
    def is_outdated(self, password_hash: str) -> bool: ...


class History(Protocol):
    def of_caller(self, user_id: UserId | None, caller: Caller) -> CallerHistory: ...

    def failed(self, user_id: UserId | None, email_hash: bytes, caller: Caller) -> None: ...

    def succeeded(self, user_id: UserId, caller: Caller, method: LoginMethod, history: CallerHistory) -> None: ...


class Login:
    def __init__(
        self,
        captcha: ports.Captcha,
        accounts: Accounts,
        lookup: ports.Lookup,
        lockout: ports.LoginLockout,
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

    def log_in(self, email: str, password: str, captcha_token: str, caller: Caller) -> TokenPair:
        """Raises InvalidCredentials, or AccountLocked after too many of them.

        A wrong password, an unknown address and a withdrawn account raise the same error after the same queries, and
        write the same kind of record. An attempt that a lockout rejects leaves no record, or guessing would fill the
        table. If the process crashes before the session opens, the history has a login without a session.
        """
        self._captcha.check(captcha_token, "login")
        found = self._accounts.credentials(email)
        user_id = found.user_id if found else None
        history = self._history.of_caller(user_id, caller)
        address, network = self._lookup("email", email), self._lookup("network", caller.network)
        attempt = self._lockout.check(address, network, known_network=history.known_network)
        if not self._hasher.matches(password, found.password_hash if found else None) or found is None:
            self._lockout.failed(attempt)
            self._history.failed(user_id, address, caller)
            raise InvalidCredentials()
        self._lockout.passed(attempt)
        self._history.succeeded(found.user_id, caller, LoginMethod.PASSWORD, history)
        pair = self._open(found, email, password)
        if self._hasher.is_outdated(found.password_hash):
            self._accounts.renew_hash(found.user_id, found.password_hash, self._hasher.hash(password))
        return pair

    def _open(self, found: Credentials, email: str, password: str) -> TokenPair:
        try:
            return self._sessions.open(found.user_id, found.role, found.password_hash)
        except DomainError:
            # The hash has changed. If a login at the same time renewed it, it is of the same password.
            now = self._accounts.credentials(email)
            if now is None or not self._hasher.matches(password, now.password_hash):
                raise
            return self._sessions.open(now.user_id, now.role, now.password_hash)
