"""Who signed in from where, and who tried (AUTH-021): shown to the account's owner, and asked what is unusual."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

REMEMBERED = timedelta(days=90)  # after which a network and a browser are new again, and rows are pruned
RECENT = timedelta(hours=1)
MANY_FAILURES = 5


class Method(StrEnum):
    PASSWORD = "PASSWORD"  # noqa: S105
    KAKAO = "KAKAO"
    NAVER = "NAVER"
    GOOGLE = "GOOGLE"


@dataclass(frozen=True)
class Past:
    """What is known of an account that somebody wants to sign in to from here."""

    signed_in_before: bool
    known_network: bool  # signed in from it in the last 90 days
    known_agent: bool
    recent_failures: int  # of the last hour; 5 stands for any more

    @property
    def suspicious(self) -> bool:
        """Of a success: from a network and a browser both new to the account, or after many wrong passwords."""
        elsewhere = self.signed_in_before and not self.known_network and not self.known_agent
        return elsewhere or self.recent_failures >= MANY_FAILURES


@dataclass(frozen=True)
class Login:
    """One line of the history."""

    at: datetime
    ip: str
    user_agent: str
    method: Method
    success: bool
    suspicious: bool
