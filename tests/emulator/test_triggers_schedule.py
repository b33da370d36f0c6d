"""Schedules, with a clock that the test moves."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.stack import Schedule, StackError
from emulator.triggers.endpoint import Answer, LambdaEndpoint
from emulator.triggers.schedule import ScheduleTrigger, parse

START = datetime(2026, 3, 1, 9, 0, 12, tzinfo=UTC)


class FakeClock:
    """Passes only when `pass_by` is called."""

    def __init__(self) -> None:
        self._now = START
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        awake = asyncio.Event()
        self._sleepers.append((self._now + timedelta(seconds=seconds), awake))
        await awake.wait()

    async def pass_by(self, seconds: float) -> None:
        """Lets the time pass in steps, and everyone do what it is time for."""
        end = self._now + timedelta(seconds=seconds)
        await settle()
        while due := [at for at, awake in self._sleepers if at <= end and not awake.is_set()]:
            self._now = max(self._now, min(due))
            for at, awake in self._sleepers:
                if at <= self._now:
                    awake.set()
            self._sleepers = [sleeper for sleeper in self._sleepers if not sleeper[1].is_set()]
            await settle()
        self._now = end


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class FakeEndpoint(LambdaEndpoint):
    """Remembers when it was called and with what."""

    def __init__(self, clock: FakeClock, slow: Callable[[], Awaitable[object]] | None = None) -> None:
        super().__init__("http://127.0.0.1:1")
        self.calls: list[tuple[datetime, Any]] = []
        self._clock = clock
        self._slow = slow

    async def invoke(self, function: str, payload: bytes, *, asynchronous: bool = False) -> Answer:
        assert (function, asynchronous) == ("Admitter", True)
        self.calls.append((self._clock.now(), json.loads(payload)))
        if self._slow:
            await self._slow()
        return Answer(error="HTTP 503")


def schedule(expression: str, text: str | None = "{}") -> Schedule:
    return Schedule(name="EveryMinute", function="Admitter", expression=expression, input=text)


def fired(expression: str, seconds: float, *, text: str | None = "{}", jump: float = 0) -> list[tuple[datetime, Any]]:
    async def scenario() -> list[tuple[datetime, Any]]:
        clock = FakeClock()
        endpoint = FakeEndpoint(clock)
        trigger = ScheduleTrigger(schedule(expression, text), endpoint, clock, new_id=lambda: "id-1")
        await trigger.start()
        await settle()
        if jump:  # as when the machine was asleep
            clock._now += timedelta(seconds=jump)
        await clock.pass_by(seconds)
        await trigger.close()
        return endpoint.calls

    return asyncio.run(scenario())


def seconds_of(calls: list[tuple[datetime, Any]]) -> list[float]:
    return [(at - START).total_seconds() for at, _ in calls]


def test_a_rate_fires_at_once_and_then_every_period() -> None:
    assert seconds_of(fired("rate(1 minute)", 185)) == [0, 60, 120, 180]


def test_a_rate_does_not_drift_when_the_endpoint_is_slow() -> None:
    async def scenario() -> list[float]:
        clock = FakeClock()
        endpoint = FakeEndpoint(clock, slow=lambda: clock.sleep(61))
        trigger = ScheduleTrigger(schedule("rate(1 minute)"), endpoint, clock)
        await trigger.start()
        await clock.pass_by(605)
        await trigger.close()
        return seconds_of(endpoint.calls)

    assert asyncio.run(scenario()) == [60.0 * number for number in range(11)]


def test_what_a_sleeping_machine_missed_is_not_made_up_for() -> None:
    calls = seconds_of(fired("rate(1 minute)", 100, jump=3600))

    assert calls[0] == 0
    assert len(calls) <= 5
    assert calls[-1] >= 3600


def test_the_context_attributes_are_filled_in() -> None:
    text = '{"at": "<aws.scheduler.scheduled-time>", "run": "<aws.scheduler.execution-id>"}'
    (_, payload), *_ = fired("rate(5 minutes)", 1, text=text)

    assert payload == {"at": "2026-03-01T09:00:12Z", "run": "id-1"}


def test_without_an_input_the_function_gets_the_schedulers_own_event() -> None:
    (_, payload), *_ = fired("rate(5 minutes)", 1, text=None)

    assert payload["source"] == "aws.scheduler"
    assert payload["detail-type"] == "Scheduled Event"
    assert payload["time"] == "2026-03-01T09:00:12Z"


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("cron(0 12 * * ? *)", "2026-03-01T09:00:12", "2026-03-01T12:00:00"),
        ("cron(0 12 * * ? *)", "2026-03-01T12:00:00", "2026-03-02T12:00:00"),
        ("cron(0/15 8-9 ? * MON-FRI *)", "2026-03-01T09:00:00", "2026-03-02T08:00:00"),  # the 1st is a Sunday
        ("cron(0/15 8-9 ? * 2-6 *)", "2026-03-02T08:00:00", "2026-03-02T08:15:00"),
        ("cron(30 9 1,15 * ? *)", "2026-03-01T09:30:00", "2026-03-15T09:30:00"),
        ("cron(0 0 29 FEB ? *)", "2026-03-01T00:00:00", "2028-02-29T00:00:00"),
        ("cron(0 0 1 1 ? 2027-2030)", "2026-03-01T00:00:00", "2027-01-01T00:00:00"),
        ("cron(0 0 1 1 ? 2025)", "2026-03-01T00:00:00", None),
        ("at(2026-03-01T10:00:00)", "2026-03-01T09:00:00", "2026-03-01T10:00:00"),
        ("at(2026-03-01T08:00:00)", "2026-03-01T09:00:00", None),
        ("rate(2 hours)", "2026-03-01T09:00:00", "2026-03-01T11:00:00"),
        ("rate(1 day)", "2026-03-01T09:00:00", "2026-03-02T09:00:00"),
    ],
)
def test_the_next_time_of_an_expression(expression: str, after: str, expected: str | None) -> None:
    following = parse(expression).after(datetime.fromisoformat(after).replace(tzinfo=UTC))

    assert following == (datetime.fromisoformat(expected).replace(tzinfo=UTC) if expected else None)


@pytest.mark.parametrize(
    "expression",
    [
        "rate(0 minutes)",
        "rate(5 seconds)",
        "every minute",
        "cron(0 12 * * *)",
        "cron(0 12 * * * *)",
        "cron(0 12 ? * ? *)",
        "cron(0 12 L * ? *)",
        "cron(0 12 ? * 6#3 *)",
        "cron(0 12 15W * ? *)",
        "cron(60 12 * * ? *)",
        "cron(5-1 12 * * ? *)",
        "cron(*/0 12 * * ? *)",
    ],
)
def test_what_is_not_a_schedule_or_not_supported_is_refused(expression: str) -> None:
    with pytest.raises(StackError):
        parse(expression)
