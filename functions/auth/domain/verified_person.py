"""A person whose identity PortOne verified, and which verifications count (AUTH-004)."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone

KOREA = timezone(timedelta(hours=9))
MINIMUM_AGE = 14  # below it the law asks for a guardian's consent (Personal Information Protection Act, 22-2)
OLDEST = 130


@dataclass(frozen=True)
class VerifiedPerson:
    """Some carriers give no `ci`."""

    name: str
    phone: str | None
    ci: str | None = field(repr=False)
    birth_date: date | None = field(default=None, repr=False)

    def age_at(self, now: datetime) -> int | None:
        """In full years, on the Korean day; None without a birth date."""
        born, today = self.birth_date, now.astimezone(KOREA).date()
        if born is None:
            return None
        return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


@dataclass(frozen=True)
class VerificationTerms:
    """`test_channel`: a verification on PortOne's test channel counts too, where anyone can be anybody."""

    test_channel: bool = False
    valid_for: timedelta = timedelta(minutes=10)

    def fault(self, channel: str | None, verified_at: datetime | None, age: int | None, now: datetime) -> str | None:
        """Why a completed verification does not count, if so."""
        if channel != "LIVE" and not (self.test_channel and channel == "TEST"):
            return "channel"
        if verified_at is None or now - verified_at > self.valid_for:
            return "old"
        if age is not None and not 0 <= age <= OLDEST:
            return "birth date"
        return None
