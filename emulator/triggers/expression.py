"""When a schedule is due: `rate(…)`, `cron(…)` or `at(…)`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from emulator.stack import StackError
from emulator.triggers import cron

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((.*)\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")


class Expression(Protocol):
    """When a schedule is due, in UTC."""

    def first(self, now: datetime) -> datetime | None:
        """The first time, for a schedule that begins `now`."""

    def after(self, moment: datetime) -> datetime | None:
        """The first time after `moment`; None if there is none."""


@dataclass(frozen=True)
class Rate:
    """`rate(5 minutes)`: at once, and then once per period."""

    period: timedelta

    def first(self, now: datetime) -> datetime:
        return now

    def after(self, moment: datetime) -> datetime:
        return moment + self.period


@dataclass(frozen=True)
class At:
    """`at(2026-11-20T13:00:00)`: once."""

    moment: datetime

    def first(self, now: datetime) -> datetime | None:
        return self.after(now)

    def after(self, moment: datetime) -> datetime | None:
        return self.moment if self.moment > moment else None


def parse(expression: str, zone: tzinfo = UTC) -> Expression:
    """Reads an expression; `cron` and `at` are times in `zone`. Raises StackError for anything else."""
    if (match := _RATE.fullmatch(expression)) and (count := int(match[1])):
        return Rate(timedelta(**{match[2] + "s": count}))
    if match := _CRON.fullmatch(expression):
        return cron.parse(match[1], zone)
    if match := _AT.fullmatch(expression):
        return At(datetime.fromisoformat(match[1]).replace(tzinfo=zone).astimezone(UTC))
    raise StackError(f"{expression} is not a schedule: rate(5 minutes), cron(0 12 * * ? *) or at(2026-11-20T13:00:00)")
