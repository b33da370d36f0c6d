"""What a Kafka event source mapping says about failures and filters, read from its CloudFormation properties."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.stack import KafkaSource, StackError
from emulator.triggers.filter_pattern import Filters

# Read elsewhere, or without effect on one machine.
_IGNORED = {
    *("FunctionResponseTypes", "KmsKeyArn", "LoggingConfig", "MetricsConfig", "ProvisionedPollerConfig"),
    *("SelfManagedEventSource", "SourceAccessConfigurations", "Tags"),
}
_CONSUMERS = {"AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig"}


@dataclass(frozen=True)
class KafkaOptions:
    """A mapping's rules beyond batch and window."""

    filters: Filters
    retries: int | None = None  # MaximumRetryAttempts; None means no limit
    max_age: float | None = None  # MaximumRecordAgeInSeconds; None means no limit
    bisect: bool = False
    destination: str | None = None  # an SQS queue's ARN, or kafka://topic


def read(source: KafkaSource) -> KafkaOptions:
    """The options of a mapping. Raises StackError, with the property's path, for what is not emulated."""
    where = f"Resources.{source.name}.Properties"
    left = {name: value for name, value in source.properties.items() if name not in _IGNORED}
    if source.starting_position not in {"TRIM_HORIZON", "LATEST"}:
        raise StackError(f"{where}.StartingPosition: {source.starting_position} is not emulated")
    for name in _CONSUMERS:
        for key in left.pop(name, None) or {}:
            if key != "ConsumerGroupId":
                raise StackError(f"{where}.{name}.{key}: not emulated")
    filters = (left.pop("FilterCriteria", None) or {}).get("Filters") or []
    options = KafkaOptions(
        filters=Filters(filters, f"{where}.FilterCriteria.Filters"),
        retries=_limit(left.pop("MaximumRetryAttempts", None), 0, 10_000, f"{where}.MaximumRetryAttempts"),
        max_age=_limit(left.pop("MaximumRecordAgeInSeconds", None), 60, 604_800, f"{where}.MaximumRecordAgeInSeconds"),
        bisect=str(left.pop("BisectBatchOnFunctionError", False)).lower() == "true",
        destination=_destination(left.pop("DestinationConfig", None) or {}, source.topic, f"{where}.DestinationConfig"),
    )
    if left:
        raise StackError(f"{where}.{min(left)}: not emulated")
    return options


def _limit(value: Any, lowest: int, highest: int, where: str) -> int | None:
    try:
        number = -1 if value is None else int(value)
    except (TypeError, ValueError):
        raise StackError(f"{where}: {value!r} is not a number") from None
    if number == -1:
        return None
    if not lowest <= number <= highest:
        raise StackError(f"{where}: {number} is neither -1 nor from {lowest} to {highest}")
    return number


def _destination(config: Mapping[str, Any], topic: str, where: str) -> str | None:
    for key in config:
        if key != "OnFailure":
            raise StackError(f"{where}.{key}: not emulated")
    failure = config.get("OnFailure") or {}
    destination = failure.get("Destination")
    if destination is None:
        return None
    where = f"{where}.OnFailure.Destination"
    text = str(destination)
    if text.startswith("kafka://"):
        if text in {"kafka://", f"kafka://{topic}"}:
            raise StackError(f"{where}: {text}: must be another topic than the source's")
        return text
    if text.split(":")[2:3] == ["sqs"] and len(text.split(":")) == 6:
        return text
    raise StackError(f"{where}: {text}: only SQS queues and kafka://topic are emulated")
