"""AWS's six-field cron: `minutes hours day-of-month month day-of-week year`.

EventBridge Scheduler user guide, "Schedule types". `L`, `W` and `#` are refused rather than misread.
"""

import calendar
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from emulator.stack import StackError

_MONTHS = {calendar.month_abbr[number].upper(): number for number in range(1, 13)}
_DAYS = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
_TERM = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")


@dataclass(frozen=True)
class Cron:
    """When a cron expression falls due, in UTC."""

    minutes: Sequence[int]
    hours: Sequence[int]
    days: frozenset[int] | None  # None is "?"
    months: frozenset[int]
    weekdays: frozenset[int] | None  # 1 is Sunday
    years: frozenset[int]

    def first(self, now: datetime) -> datetime | None:
        """The first time after `now`."""
        return self.after(now)

    def after(self, moment: datetime) -> datetime | None:
        """The first time after `moment`, None when there is no more."""
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        while day.year <= max(self.years):
            if self._includes(day):
                for time in self._times(day):
                    if time > moment:
                        return time
            day += timedelta(days=1)
        return None

    def _includes(self, day: datetime) -> bool:
        weekday = day.isoweekday() % 7 + 1
        return (
            day.year in self.years
            and day.month in self.months
            and (self.days is None or day.day in self.days)
            and (self.weekdays is None or weekday in self.weekdays)
        )

    def _times(self, day: datetime) -> Iterator[datetime]:
        return (day.replace(hour=hour, minute=minute) for hour in self.hours for minute in self.minutes)


def parse(fields: str) -> Cron:
    """What stands between the parentheses of `cron(…)`. Raises StackError."""
    parts = fields.split()
    if len(parts) != 6:
        raise StackError(f"cron({fields}): six fields are needed, here are {len(parts)}")
    minute, hour, day, month, weekday, year = parts
    if (day == "?") == (weekday == "?"):
        raise StackError(f"cron({fields}): one of day-of-month and day-of-week must be ?, and the other must not")
    return Cron(
        minutes=sorted(_numbers(minute, 0, 59)),
        hours=sorted(_numbers(hour, 0, 23)),
        days=None if day == "?" else _numbers(day, 1, 31),
        months=_numbers(month, 1, 12, _MONTHS),
        weekdays=None if weekday == "?" else _numbers(weekday, 1, 7, _DAYS),
        years=_numbers(year, 1970, 2199),
    )


def _numbers(field: str, lowest: int, highest: int, names: Mapping[str, int] | None = None) -> frozenset[int]:
    found: set[int] = set()
    for term in field.upper().split(","):
        match = _TERM.fullmatch(term)
        if not match:
            raise StackError(f"cron: {field} is not understood here (L, W and # are not supported)")
        step = int(match["step"] or 1)
        first = lowest if match["all"] else _number(match["first"], names, field)
        if match["last"]:
            last = _number(match["last"], names, field)
        else:
            last = highest if match["all"] or match["step"] else first
        if not (lowest <= first <= last <= highest and step):
            raise StackError(f"cron: {field} is outside {lowest} to {highest}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(word: str, names: Mapping[str, int] | None, field: str) -> int:
    if names and word in names:
        return names[word]
    if not word.isdecimal():
        raise StackError(f"cron: {field} is not understood here (L, W and # are not supported)")
    return int(word)
