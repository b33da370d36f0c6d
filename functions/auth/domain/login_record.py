"""The login history (AUTH-021): the account's owner reads it, and unusual logins are found in it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

REMEMBERED = timedelta(days=90)  # then a network or browser counts as new again, and the rows are deleted
RECENT = timedelta(hours=1)
MANY_FAILURES = 5


class LoginMethod(StrEnum):
    PASSWORD = "PASSWORD"  # noqa: S105
    KAKAO = "KAKAO"
    NAVER = "NAVER"
    GOOGLE = "GOOGLE"


@dataclass(frozen=True)
class CallerHistory:
    """What an account's history says about the caller who tries to log in to it."""

    logged_in_before: bool  # from anywhere
    known_network: bool  # a login from it succeeded in the last 90 days
    known_agent: bool
    recent_failures: int  # in the last hour; 5 means 5 or more

    @property
    def suspicious(self) -> bool:
        """Whether a successful login is unusual: both network and browser are new to the account, or many wrong
        passwords came before it."""
        new_caller = self.logged_in_before and not self.known_network and not self.known_agent
        return new_caller or self.recent_failures >= MANY_FAILURES


NO_HISTORY = CallerHistory(logged_in_before=False, known_network=False, known_agent=False, recent_failures=0)


@dataclass(frozen=True)
class LoginRecord:
    """One entry of the history."""

    at: datetime
    ip: str
    user_agent: str
    method: LoginMethod
    success: bool
    suspicious: bool
