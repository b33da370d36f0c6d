"""How many wrong passwords lock an account's login, and for how long (AUTH-006)."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID


@dataclass(frozen=True)
class LockoutRule:
    """How many wrong passwords start a lockout, how long the first one is and how long the longest."""

    wrong: int
    first_lock: timedelta
    longest_lock: timedelta


@dataclass(frozen=True)
class LockoutTerms:
    network: LockoutRule = LockoutRule(5, timedelta(minutes=1), timedelta(minutes=15))
    elsewhere: LockoutRule = LockoutRule(50, timedelta(minutes=5), timedelta(minutes=5))  # all unknown networks
    counts_for: timedelta = timedelta(hours=1)  # longer than any lockout
    abandoned_after: timedelta = timedelta(seconds=30)  # longer than any function that compares may run
    at_once: int = 10

    def rules(self, network: str, *, known_network: bool) -> dict[str, LockoutRule]:
        """The rules that a login attempt must pass, by where each counts; the network's first."""
        if known_network:
            return {network: self.network}
        return {network: self.network, "elsewhere": self.elsewhere}


@dataclass(frozen=True)
class Attempt:
    """One comparison that was allowed and has not ended."""

    id: UUID
    keys: tuple[str, ...]
