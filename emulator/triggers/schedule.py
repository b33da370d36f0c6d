"""EventBridge Scheduler: functions invoked by the clock."""

import asyncio
import contextlib
import json
import logging
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from emulator.stack import Schedule, StackError
from emulator.triggers import cron
from emulator.triggers.endpoint import LambdaEndpoint

_log = logging.getLogger(__name__)

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((.*)\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")


class Expression(Protocol):
    """When a schedule falls due."""

    def first(self, now: datetime) -> datetime | None:
        """The first time, for a schedule that begins `now`."""

    def after(self, moment: datetime) -> datetime | None:
        """The time that follows the time `moment`; None when there is none."""


@dataclass(frozen=True)
class Rate:
    """`rate(5 minutes)`: at once, so that a function that runs for its whole period is never away, and then on."""

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


def parse(expression: str) -> Expression:
    """`rate(…)`, `cron(…)` or `at(…)`, in UTC. Raises StackError for anything else."""
    if (match := _RATE.fullmatch(expression)) and (count := int(match[1])):
        return Rate(timedelta(**{match[2] + "s": count}))
    if match := _CRON.fullmatch(expression):
        return cron.parse(match[1])
    if match := _AT.fullmatch(expression):
        return At(datetime.fromisoformat(match[1]).replace(tzinfo=UTC))
    raise StackError(f"{expression} is not a schedule: rate(5 minutes), cron(0 12 * * ? *) or at(2026-11-20T13:00:00)")


class Clock(Protocol):
    """The time, and the passing of it."""

    def now(self) -> datetime:
        """The time, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Returns when that much time has passed."""


class SystemClock:
    """The machine's."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ScheduleTrigger:
    """One schedule, running from `start` to `close`."""

    def __init__(
        self,
        schedule: Schedule,
        endpoint: LambdaEndpoint,
        clock: Clock | None = None,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.schedule = schedule
        self.next: datetime | None = None  # when it falls due next
        self._expression = parse(schedule.expression)
        self._endpoint = endpoint
        self._clock = clock or SystemClock()
        self._new_id = new_id
        self._calls: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Starts and returns. A rate fires at once."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Fires no more."""
        for task in (self._task, *self._calls):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        self.next = self._expression.first(self._clock.now())
        while self.next:
            while (wait := (self.next - self._clock.now()).total_seconds()) > 0:
                await self._clock.sleep(min(wait, 30))  # in pieces: the machine may have been asleep meanwhile
            due = self.next
            call = asyncio.create_task(self._fire(due))  # not awaited: a slow endpoint must not move the next time
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            self.next = self._following(due)

    def _following(self, due: datetime) -> datetime | None:
        """Counted from the time that was due, so that nothing drifts; what a sleeping machine missed is left out."""
        following = self._expression.after(due)
        long_ago = self._clock.now() - timedelta(minutes=1)
        while following and following < long_ago:
            following = self._expression.after(following)
        return following

    async def _fire(self, due: datetime) -> None:
        answer = await self._endpoint.invoke(self.schedule.function, self._payload(due), asynchronous=True)
        if answer.error:
            _log.warning("schedule %s: %s", self.schedule.name, answer.error)

    def _payload(self, due: datetime) -> bytes:
        time = due.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        arn = f"arn:aws:scheduler:us-east-1:000000000000:schedule/default/{self.schedule.name}"
        run = self._new_id()
        if self.schedule.input is None:
            return json.dumps(
                {
                    "version": "0",
                    "id": run,
                    "detail-type": "Scheduled Event",
                    "source": "aws.scheduler",
                    "account": "000000000000",
                    "time": time,
                    "region": "us-east-1",
                    "resources": [arn],
                    "detail": "{}",
                }
            ).encode()
        attributes = {"schedule-arn": arn, "scheduled-time": time, "execution-id": run, "attempt-number": "1"}
        payload = self.schedule.input
        for name, value in attributes.items():
            payload = payload.replace(f"<aws.scheduler.{name}>", value)
        return payload.encode()
