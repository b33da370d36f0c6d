"""AWS's six-field cron: `minutes hours day-of-month month day-of-week year`.

EventBridge Scheduler user guide, "Schedule types", whose wildcards are `,` `-` `*` `?` `/` `L` `W` `#`.
"""

import calendar
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from emulator.stack import StackError

_MONTHS = {calendar.month_abbr[number].upper(): number for number in range(1, 13)}
_DAYS = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
_TERM = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")


@dataclass(frozen=True)
class Cron:
    """When a cron expression is due, in its time zone.

    A time that a clock change skips is skipped; a time that it repeats is due once, the first time.
    """

    minutes: Sequence[int]
    hours: Sequence[int]
    months: frozenset[int]
    years: frozenset[int]
    is_day: Callable[[date], bool]
    zone: tzinfo = UTC

    def first(self, now: datetime) -> datetime | None:
        """The first time after `now`."""
        return self.after(now)

    def after(self, moment: datetime) -> datetime | None:
        """The first time after `moment`, None if there is none."""
        local = moment.astimezone(self.zone)
        day = local.date()
        last = date(max(self.years), 12, 31)
        while day <= last:
            if day.year in self.years and day.month in self.months and self.is_day(day):
                for due in self._times(day):
                    if due > moment:
                        return due
            day += timedelta(days=1)
        return None

    def _times(self, day: date) -> Iterator[datetime]:
        for hour in self.hours:
            for minute in self.minutes:
                due = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone).astimezone(UTC)
                back = due.astimezone(self.zone)
                if (back.hour, back.minute) == (hour, minute):
                    yield due


def parse(fields: str, zone: tzinfo = UTC) -> Cron:
    """Parses the text between the parentheses of `cron(…)`. Raises StackError."""
    parts = fields.split()
    if len(parts) != 6:
        raise StackError(f"cron({fields}): six fields are needed, not {len(parts)}")
    minute, hour, day, month, weekday, year = parts
    if (day == "?") == (weekday == "?"):
        raise StackError(f"cron({fields}): one of day-of-month and day-of-week must be ?, and the other must not")
    return Cron(
        minutes=sorted(_numbers(minute, 0, 59)),
        hours=sorted(_numbers(hour, 0, 23)),
        months=_numbers(month, 1, 12, _MONTHS),
        years=_numbers(year, 1970, 2199),
        is_day=_day_of_month(day) if weekday == "?" else _day_of_week(weekday),
        zone=zone,
    )


def _day_of_month(field: str) -> Callable[[date], bool]:
    if field.upper() == "L":
        return lambda day: day.day == _last(day)
    if match := re.fullmatch(r"(\d+)W", field.upper()):
        wanted = int(match[1])
        if not 1 <= wanted <= 31:
            raise StackError(f"cron: {field} is outside 1 to 31")
        return lambda day: wanted <= _last(day) and day == _nearest_weekday(day.replace(day=wanted))
    days = _numbers(field, 1, 31)
    return lambda day: day.day in days


def _day_of_week(field: str) -> Callable[[date], bool]:
    if field.upper() == "L":
        return lambda day: _weekday(day) == 7
    if match := re.fullmatch(r"(\w+)L", field.upper()):
        (wanted,) = _numbers(match[1], 1, 7, _DAYS)
        return lambda day: _weekday(day) == wanted and day.day > _last(day) - 7
    if match := re.fullmatch(r"(\w+)#([1-5])", field.upper()):
        (wanted,) = _numbers(match[1], 1, 7, _DAYS)
        number = int(match[2])
        return lambda day: _weekday(day) == wanted and (day.day - 1) // 7 + 1 == number
    weekdays = _numbers(field, 1, 7, _DAYS)
    return lambda day: _weekday(day) in weekdays


def _weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1  # 1 is Sunday


def _last(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date) -> date:
    """The Monday to Friday that is nearest to `day` in its month."""
    if day.isoweekday() == 6:
        return day - timedelta(days=1) if day.day > 1 else day + timedelta(days=2)
    if day.isoweekday() == 7:
        return day + timedelta(days=1) if day.day < _last(day) else day - timedelta(days=2)
    return day


def _numbers(field: str, lowest: int, highest: int, names: Mapping[str, int] | None = None) -> frozenset[int]:
    found: set[int] = set()
    for term in field.upper().split(","):
        match = _TERM.fullmatch(term)
        if not match:
            raise StackError(f"cron: {field} is not supported")
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
        raise StackError(f"cron: {field} is not supported")
    return int(word)
