"""Reads what each step of an on-sale uses, as `make cost-measure` measured it on the local stack."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FILE = Path(__file__).parent / "measured.toml"


@dataclass(frozen=True)
class Step:
    """What one buyer uses for one step."""

    requests: float  # to the API
    answer_bytes: float  # response bodies, before compression
    redis_commands: float
    redis_bytes: float  # sent and received
    calls: Mapping[str, float] = field(default_factory=dict)  # invocations by function
    message_bytes: float = 0.0  # to Kafka
    readers: float = 2.0  # consumer groups that read a message, on average


@dataclass(frozen=True)
class Measured:
    on: str  # date and machine
    steps: Mapping[str, Step]
    milliseconds: Mapping[str, float]  # of a warm invocation, by function
    log_bytes: Mapping[str, float]  # of an invocation, by function
    metrics: int  # number of different metrics that were emitted


def read_measured(path: Path = FILE) -> Measured:
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    return Measured(
        content["on"],
        {name: Step(**step) for name, step in content["steps"].items()},
        {name: function["milliseconds"] for name, function in content["functions"].items()},
        {name: function["log_bytes"] for name, function in content["functions"].items()},
        content["metrics"],
    )
