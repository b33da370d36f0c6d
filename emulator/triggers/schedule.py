"""EventBridge Scheduler: functions invoked by schedules."""

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from emulator.stack import Schedule
from emulator.triggers import schedule_options
from emulator.triggers.endpoint import InvokeResponse, LambdaEndpoint
from emulator.triggers.sqs import Queue, QueueError

_log = logging.getLogger(__name__)

_DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)  # seconds before each retry of a delivery; then every minute
# A retry would not help: such an event becomes a dead letter at once.
_NOT_RETRIED = range(400, 429)


class Clock(Protocol):
    """The current time, and sleep."""

    def now(self) -> datetime:
        """The time, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds`."""


class SystemClock:
    """The machine's clock."""

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
        *,
        aws_url: str | None = None,
    ) -> None:
        """`aws_url` is the endpoint of a dead-letter queue. Raises StackError for a property that is not emulated."""
        self.schedule = schedule
        self.next: datetime | None = None  # when it is due next
        self.undelivered = 0  # events given up since the start
        self.trouble: str | None = None  # the last failed delivery, until one succeeds
        self._options = options = schedule_options.read(schedule, needs_aws=aws_url is None)
        self._expression = options.expression
        self._dead_letters = Queue(options.dead_letters, aws_url) if options.dead_letters and aws_url else None
        self._endpoint = endpoint
        self._clock = clock or SystemClock()
        self._new_id = new_id
        self._calls: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Starts and returns. A rate fires at once."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stops."""
        for task in (self._task, *self._calls):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        self.next = self._first()
        while self.next:
            while (wait := (self.next - self._clock.now()).total_seconds()) > 0:
                await self._clock.sleep(min(wait, 30))  # at most 30 s at once: the machine may be suspended meanwhile
            due = self.next
            call = asyncio.create_task(self._fire(due))  # not awaited: a slow endpoint must not delay the next time
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            self.next = self._following(due)

    def _first(self) -> datetime | None:
        now, start = self._clock.now(), self._options.start
        if start is None or (start <= now and not self._options.is_rate):
            return self._unless_ended(self._expression.first(now))
        first = self._expression.first(start - timedelta(microseconds=1)) if not self._options.is_rate else start
        while first and first < now:  # a rate counts from its start, even if that is long ago
            first = self._expression.after(first)
        return self._unless_ended(first)

    def _following(self, due: datetime) -> datetime | None:
        """Counted from the due time, so that nothing drifts; times missed by a suspended machine are skipped."""
        following = self._expression.after(due)
        long_ago = self._clock.now() - timedelta(minutes=1)
        while following and following < long_ago:
            following = self._expression.after(following)
        return self._unless_ended(following)

    def _unless_ended(self, due: datetime | None) -> datetime | None:
        end = self._options.end
        return None if due and end and due > end else due

    async def _fire(self, due: datetime) -> None:
        """Delivers the event, with retries as in the retry policy; the function's own result does not matter."""
        run = self._new_id()
        retries = 0
        while True:
            payload = self._payload(due, run, retries + 1)
            response = await self._endpoint.invoke(self.schedule.function, payload, asynchronous=True)
            self.trouble = response.error
            if response.error is None:
                return
            _log.warning("schedule %s: %s", self.schedule.name, response.error)
            exhausted = None
            if response.status not in _NOT_RETRIED:
                delay = _DELAYS[min(retries, len(_DELAYS) - 1)]
                age = (self._clock.now() - due).total_seconds()
                if retries >= self._options.max_retries:
                    exhausted = "MaximumRetryAttempts"
                elif age + delay > self._options.max_age:
                    exhausted = "MaximumEventAgeInSeconds"
                else:
                    await self._clock.sleep(delay)
                    retries += 1
                    continue
            self.undelivered += 1
            await self._send_to_dead_letters(payload, response, due, run, retries, exhausted)
            return

    async def _send_to_dead_letters(
        self, payload: bytes, response: InvokeResponse, due: datetime, run: str, retries: int, exhausted: str | None
    ) -> None:
        if self._dead_letters is None:
            return
        attributes = {
            "ERROR_CODE": "ERROR_FROM_TARGET" if response.status else "CONNECTION_FAILURE",
            "ERROR_MESSAGE": response.error or "",
            "EXECUTION_ID": run,
            "IS_PAYLOAD_TRUNCATED": "false",
            "RETRY_ATTEMPTS": str(retries),
            "SCHEDULED_TIME": _second(due),
            "SCHEDULE_ARN": self._arn,
            "TARGET_ARN": f"arn:aws:lambda:us-east-1:000000000000:function:{self.schedule.function}",
        }
        if exhausted:
            attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
        try:
            await self._dead_letters.send(payload.decode(), attributes)
        except QueueError as error:
            _log.error("schedule %s: an event is lost: %s", self.schedule.name, error)

    @property
    def _arn(self) -> str:
        return f"arn:aws:scheduler:us-east-1:000000000000:schedule/default/{self.schedule.name}"

    def _payload(self, due: datetime, run: str, attempt: int) -> bytes:
        if self.schedule.input is None:
            return json.dumps(
                {
                    "version": "0",
                    "id": run,
                    "detail-type": "Scheduled Event",
                    "source": "aws.scheduler",
                    "account": "000000000000",
                    "time": _second(due),
                    "region": "us-east-1",
                    "resources": [self._arn],
                    "detail": "{}",
                }
            ).encode()
        attributes = {
            "schedule-arn": self._arn,
            "scheduled-time": _second(due),
            "execution-id": run,
            "attempt-number": str(attempt),
        }
        payload = self.schedule.input
        for name, value in attributes.items():
            payload = payload.replace(f"<aws.scheduler.{name}>", value)
        return payload.encode()


def _second(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
