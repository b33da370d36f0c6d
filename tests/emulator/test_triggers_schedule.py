"""Schedules, with a clock that the test moves."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest

from emulator.stack import Schedule, StackError
from emulator.triggers.endpoint import InvokeResponse, LambdaEndpoint
from emulator.triggers.expression import parse
from emulator.triggers.schedule import ScheduleTrigger

START = datetime(2026, 3, 1, 9, 0, 12, tzinfo=UTC)


class FakeClock:
    """Moves only when `advance` is called; a sleep ends `late` seconds after its time."""

    def __init__(self, late: float = 0) -> None:
        self._now = START
        self._late = timedelta(seconds=late)
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        awake = asyncio.Event()
        self._sleepers.append((self._now + timedelta(seconds=seconds), awake))
        await awake.wait()

    async def advance(self, seconds: float) -> None:
        """Moves the time in steps, and lets every sleep end that is due."""
        end = self._now + timedelta(seconds=seconds)
        await settle()
        while due := [at for at, awake in self._sleepers if at <= end and not awake.is_set()]:
            self._now = max(self._now, min(due) + self._late)
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
    """Records when it was called and with what."""

    def __init__(self, clock: FakeClock, slow: Callable[[], Awaitable[object]] | None = None) -> None:
        super().__init__("http://127.0.0.1:1")
        self.calls: list[tuple[datetime, Any]] = []
        self.answer = InvokeResponse(status=202)
        self._clock = clock
        self._slow = slow

    async def invoke(self, function: str, payload: bytes, *, asynchronous: bool = False) -> InvokeResponse:
        assert (function, asynchronous) == ("Admitter", True)
        self.calls.append((self._clock.now(), json.loads(payload)))
        if self._slow:
            await self._slow()
        return self.answer


def schedule(expression: str, text: str | None = "{}", **properties: Any) -> Schedule:
    return Schedule(name="EveryMinute", function="Admitter", expression=expression, input=text, properties=properties)


def fired(
    expression: str,
    seconds: float,
    *,
    text: str | None = "{}",
    jump: float = 0,
    answer: InvokeResponse = InvokeResponse(status=202),  # noqa: B008 - frozen
    **properties: Any,
) -> list[tuple[datetime, Any]]:
    async def scenario() -> list[tuple[datetime, Any]]:
        clock = FakeClock()
        endpoint = FakeEndpoint(clock)
        endpoint.answer = answer
        trigger = ScheduleTrigger(schedule(expression, text, **properties), endpoint, clock, new_id=lambda: "id-1")
        await trigger.start()
        await settle()
        if jump:  # as when the machine was asleep
            clock._now += timedelta(seconds=jump)
        await clock.advance(seconds)
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
        await clock.advance(605)
        await trigger.close()
        return seconds_of(endpoint.calls)

    assert asyncio.run(scenario()) == [60.0 * number for number in range(11)]


def test_a_rate_does_not_drift_when_each_wait_ends_late() -> None:
    async def scenario() -> list[float]:
        clock = FakeClock(late=0.5)
        endpoint = FakeEndpoint(clock)
        trigger = ScheduleTrigger(schedule("rate(1 minute)"), endpoint, clock)
        await trigger.start()
        await clock.advance(605)
        await trigger.close()
        return seconds_of(endpoint.calls)

    assert asyncio.run(scenario()) == [0.0, *(60.0 * number + 0.5 for number in range(1, 11))]


def test_runs_that_a_sleeping_machine_missed_are_skipped() -> None:
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
        ("cron(0 12 L * ? *)", "2026-02-01T00:00:00", "2026-02-28T12:00:00"),
        ("cron(0 12 15W * ? *)", "2026-02-01T00:00:00", "2026-02-16T12:00:00"),  # the 15th is a Sunday
        ("cron(0 12 1W * ? *)", "2026-07-31T13:00:00", "2026-08-03T12:00:00"),  # the 1st is a Saturday
        ("cron(0 12 ? * 6L *)", "2026-02-01T00:00:00", "2026-02-27T12:00:00"),
        ("cron(0 12 ? * FRI#2 *)", "2026-02-01T00:00:00", "2026-02-13T12:00:00"),
        ("cron(0 12 ? * L *)", "2026-02-01T00:00:00", "2026-02-07T12:00:00"),
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
        "cron(0 12 L-3 * ? *)",
        "cron(0 12 ? * 6#6 *)",
        "cron(0 12 32W * ? *)",
        "cron(60 12 * * ? *)",
        "cron(5-1 12 * * ? *)",
        "cron(*/0 12 * * ? *)",
    ],
)
def test_an_invalid_or_unsupported_expression_is_rejected(expression: str) -> None:
    with pytest.raises(StackError):
        parse(expression)


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        ("Asia/Seoul", "cron(0 9 * * ? *)", "2026-03-01T00:00:00", "2026-03-02T00:00:00"),
        ("America/New_York", "cron(0 12 * * ? *)", "2026-03-07T17:00:00", "2026-03-08T16:00:00"),
        ("America/New_York", "cron(30 2 * * ? *)", "2026-03-07T08:00:00", "2026-03-09T06:30:00"),  # no 02:30 on the 8th
        ("America/New_York", "cron(30 1 * * ? *)", "2026-11-01T05:30:00", "2026-11-02T06:30:00"),  # 01:30 twice
        ("Asia/Seoul", "at(2026-03-01T09:00:00)", "2026-02-01T00:00:00", "2026-03-01T00:00:00"),
    ],
)
def test_cron_and_at_are_times_of_the_schedules_zone(zone: str, expression: str, after: str, expected: str) -> None:
    following = parse(expression, ZoneInfo(zone)).after(datetime.fromisoformat(after).replace(tzinfo=UTC))

    assert following == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_schedule_runs_in_its_time_zone() -> None:
    calls = fired("cron(1 10 * * ? *)", 120, ScheduleExpressionTimezone="Europe/Berlin")

    assert seconds_of(calls) == [48]  # 09:01 in UTC


def test_nothing_is_fired_before_the_start_nor_after_the_end() -> None:
    calls = fired(
        "rate(1 minute)", 600, StartDate="2026-03-01T09:02:00Z", EndDate="2026-03-01T09:04:00Z", State="ENABLED"
    )

    assert [at.strftime("%H:%M:%S") for at, _ in calls] == ["09:02:00", "09:03:00", "09:04:00"]


def test_a_rate_counts_from_its_start_however_long_ago() -> None:
    assert seconds_of(fired("rate(1 hour)", 3600, StartDate="2020-01-01T00:30:00Z")) == [29 * 60 + 48]


def test_an_event_that_is_not_accepted_is_sent_again_by_the_retry_policy() -> None:
    calls = fired(
        "rate(1 day)",
        600,
        text='{"attempt": "<aws.scheduler.attempt-number>"}',
        answer=InvokeResponse(error="HTTP 503", status=503),
        Target={"RetryPolicy": {"MaximumRetryAttempts": 3}},
    )

    assert [payload["attempt"] for _, payload in calls] == ["1", "2", "3", "4"]
    assert seconds_of(calls) == [0, 1, 3, 7]


def test_an_event_that_is_too_old_is_given_up() -> None:
    calls = fired(
        "rate(1 day)",
        600,
        answer=InvokeResponse(error="refused"),
        Target={"RetryPolicy": {"MaximumEventAgeInSeconds": 60}},
    )

    assert seconds_of(calls)[-1] <= 60


def test_a_permanent_failure_is_not_retried() -> None:
    assert len(fired("rate(1 day)", 600, answer=InvokeResponse(error="HTTP 404", status=404))) == 1


def test_an_event_that_is_given_up_goes_to_the_dead_letter_queue_with_the_reason(aws: str) -> None:
    properties = {
        "RetryPolicy": {"MaximumRetryAttempts": 0},
        "DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-central-1:000000000000:late"},
    }
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "eu-central-1"}
    sqs = boto3.client("sqs", endpoint_url=aws, **keys)
    url = sqs.create_queue(QueueName="late")["QueueUrl"]

    async def scenario() -> list[Any]:
        async with LambdaEndpoint("http://127.0.0.1:1") as closed:
            trigger = ScheduleTrigger(schedule("rate(1 day)", '{"a": 1}', Target=properties), closed, aws_url=aws)
            await trigger.start()
            messages: list[Any] = []
            while not messages:
                answer = await asyncio.to_thread(
                    sqs.receive_message, QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"]
                )
                messages = answer.get("Messages", [])
            await trigger.close()
            return messages

    (message,) = asyncio.run(asyncio.wait_for(scenario(), 20))

    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert message["Body"] == '{"a": 1}'
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert attributes["RETRY_ATTEMPTS"] == "0"
    assert attributes["SCHEDULE_ARN"].endswith(":schedule/default/EveryMinute")


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"ScheduleExpressionTimezone": "Mars/Olympus"}, "there is no time zone Mars/Olympus"),
        ({"StartDate": "soon"}, r"Resources\.EveryMinute\.Properties\.StartDate: soon is not a time"),
        ({"Target": {"EcsParameters": {}}}, r"Properties\.Target\.EcsParameters: not emulated"),
        ({"Target": {"RetryPolicy": {"MaximumRetryAttempts": 186}}}, "186 is outside 0 to 185"),
        ({"Target": {"DeadLetterConfig": {"Arn": "arn:aws:sqs:a:0:q"}}}, "an AWS endpoint is needed"),
        ({"Rhythm": 4}, r"Properties\.Rhythm: not emulated"),
    ],
)
def test_a_property_that_is_not_emulated_is_rejected_by_its_path(properties: dict[str, Any], message: str) -> None:
    with pytest.raises(StackError, match=message):
        ScheduleTrigger(schedule("rate(1 day)", **properties), FakeEndpoint(FakeClock()))
