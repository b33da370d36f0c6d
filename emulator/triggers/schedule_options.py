"""A schedule's options besides its expression, read from its CloudFormation properties."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from emulator.stack import Schedule, StackError
from emulator.triggers.expression import Expression, Rate, parse

# Read elsewhere, or without effect here. In a flexible window a target may be called at any time: here at its start.
_IGNORED = {
    *("ActionAfterCompletion", "Description", "EventBusName", "FlexibleTimeWindow", "GroupName", "KmsKeyArn", "Name"),
    *("RoleArn", "ScheduleExpression", "State", "Tags", "Targets"),
}
_TARGET = {"DeadLetterConfig", "RetryPolicy"}  # may also be among the other properties, as SAM writes them
_TARGET_IGNORED = {"Arn", "Id", "Input", "RoleArn"}


@dataclass(frozen=True)
class ScheduleOptions:
    """A schedule's rules."""

    expression: Expression
    start: datetime | None = None
    end: datetime | None = None
    max_retries: int = 185  # of delivering an event
    max_age: float = 86_400  # seconds during which delivery is retried
    dead_letters: str | None = None  # an SQS queue's ARN

    @property
    def is_rate(self) -> bool:
        """Whether it is a rate, which counts from its start."""
        return isinstance(self.expression, Rate)


def read(schedule: Schedule, *, needs_aws: bool = False) -> ScheduleOptions:
    """The options. Raises StackError, with the property's path, for what is not emulated.

    `needs_aws` makes a dead-letter queue an error: there is no AWS endpoint.
    """
    where = f"Resources.{schedule.name}.Properties"
    left = {name: value for name, value in schedule.properties.items() if name not in _IGNORED}
    target = left.pop("Target", None) or {name: left.pop(name) for name in _TARGET if name in left}
    target = {name: value for name, value in target.items() if name not in _TARGET_IGNORED}
    zone_name = str(left.pop("ScheduleExpressionTimezone", None) or "UTC")
    try:
        zone = UTC if zone_name == "UTC" else ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError):
        raise StackError(f"{where}.ScheduleExpressionTimezone: there is no time zone {zone_name}") from None
    try:
        expression = parse(schedule.expression, zone)
    except StackError as error:
        raise StackError(f"{where}.ScheduleExpression: {error}") from None
    retry = target.pop("RetryPolicy", None) or {}
    queue = (target.pop("DeadLetterConfig", None) or {}).get("Arn")
    if queue and (str(queue).split(":")[2:3] != ["sqs"] or needs_aws):
        need = "an AWS endpoint is needed: the service aws" if needs_aws else "only SQS queues are emulated"
        raise StackError(f"{where}.Target.DeadLetterConfig.Arn: {queue}: {need}")
    options = ScheduleOptions(
        expression=expression,
        start=_time(left.pop("StartDate", None), f"{where}.StartDate"),
        end=_time(left.pop("EndDate", None), f"{where}.EndDate"),
        max_retries=_number(retry, "MaximumRetryAttempts", 0, 185, 185, f"{where}.Target.RetryPolicy"),
        max_age=_number(retry, "MaximumEventAgeInSeconds", 60, 86_400, 86_400, f"{where}.Target.RetryPolicy"),
        dead_letters=str(queue) if queue else None,
    )
    if target:
        raise StackError(f"{where}.Target.{min(target)}: not emulated")
    if left:
        raise StackError(f"{where}.{min(left)}: not emulated")
    return options


def _time(value: Any, where: str) -> datetime | None:
    if value is None:
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise StackError(f"{where}: {value} is not a time such as 2026-11-20T13:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(policy: Mapping[str, Any], name: str, lowest: int, highest: int, default: int, where: str) -> int:
    try:
        number = int(policy.get(name, default))
    except (TypeError, ValueError):
        raise StackError(f"{where}.{name}: {policy[name]!r} is not a number") from None
    if not lowest <= number <= highest:
        raise StackError(f"{where}.{name}: {number} is outside {lowest} to {highest}")
    return number
