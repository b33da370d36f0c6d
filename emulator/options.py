"""The options of one `up`, as they are passed to the daemon."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from emulator.stack import StackError


@dataclass(frozen=True)
class Options:
    """What the command line sets for a stack."""

    root: Path  # the project's folder
    state: Path  # where the stack keeps its data, logs and pids
    port: int | None = None  # of the API; None means the configured one
    process_ports: Mapping[str, int] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)  # of the template, over the configured ones
    template: str | None = None  # a template without an emulator.toml; None means the configured one
    services: Sequence[str] | None = None  # which to start; None means all configured ones
    debug: Mapping[str, int] = field(default_factory=dict)  # function -> port of its debugger
    fork: bool = True  # see emulator.Settings
    http: bool = False

    def to_json(self) -> str:
        """For the daemon's command line."""
        return json.dumps({**asdict(self), "root": str(self.root), "state": str(self.state)})

    @classmethod
    def from_json(cls, text: str) -> "Options":
        """The inverse of `to_json`."""
        content = json.loads(text)
        return cls(**{**content, "root": Path(content["root"]), "state": Path(content["state"])})


def parse_parameters(words: Sequence[str]) -> dict[str, str]:
    """`--parameter-overrides` as SAM takes it: `A=1 B="x y"`, or `ParameterKey=A,ParameterValue=1`."""
    found: dict[str, str] = {}
    for word in (part for text in words for part in _split(text)):
        if word.startswith("ParameterKey="):
            key, comma, value = word.removeprefix("ParameterKey=").partition(",ParameterValue=")
        else:
            key, comma, value = word.partition("=")
        if not (key and comma):
            raise StackError(
                f"--parameter-overrides {word}: write Name=value, or ParameterKey=Name,ParameterValue=value"
            )
        found[key] = value
    return found


def parse_ports(words: Sequence[str], flag: str = "--process-port", sign: str = "=") -> dict[str, int]:
    """`--process-port NAME=PORT`, `--debug NAME:PORT`."""
    found = {}
    for word in words:
        name, _, port = word.rpartition(sign)
        if not (name and port.isdecimal() and 0 < int(port) < 65_536):
            raise StackError(f"{flag} {word}: write name{sign}port")
        found[name] = int(port)
    return found


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise StackError(f"--parameter-overrides {text}: {error}") from error
