"""Signing in with an e-mail address and a password (AUTH-003, AUTH-006)."""

from typing import Protocol

from functions.auth.account import Credentials
from functions.auth.problems import INVALID_CREDENTIALS
from functions.auth.sessions import Sessions, TokenPair


class Captcha(Protocol):
    def check(self, token: str) -> None:
        """Refuses CAPTCHA_FAILED, or SERVICE_UNAVAILABLE when nobody can tell."""


class Accounts(Protocol):
    def credentials(self, email: str) -> Credentials | None: ...


class Hasher(Protocol):
    def matches(self, password: str, password_hash: str | None) -> bool:
        """False for no hash, after as long as for one."""


class SignIn:
    def __init__(self, captcha: Captcha, accounts: Accounts, hasher: Hasher, sessions: Sessions) -> None:
        self._captcha = captcha
        self._accounts = accounts
        self._hasher = hasher
        self._sessions = sessions

    def sign_in(self, email: str, password: str, captcha_token: str) -> TokenPair:
        """Refuses INVALID_CREDENTIALS alike, and after as long, for a wrong password and for no such account."""
        self._captcha.check(captcha_token)
        found = self._accounts.credentials(email)
        matches = self._hasher.matches(password, found.password_hash if found else None)
        if found is None or not matches:
            raise INVALID_CREDENTIALS.refusal()
        return self._sessions.open(found.user_id, found.role)
