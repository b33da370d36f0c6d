"""`emulator.toml`: what the emulator needs to know about a project that the template does not say."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emulator.options import Options
from emulator.stack import StackError

FILE = "emulator.toml"
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True)
class Step:
    """A command that runs once and has to succeed."""

    name: str
    command: Sequence[str]  # "python" is the emulator's own interpreter
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Process:
    """A command that runs as long as the stack, and is started again when it ends.

    It starts while services and steps may still be starting: it must wait for those it needs.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    ready: str | None = None  # a path that answers 2xx; without it, an open port is enough


@dataclass(frozen=True)
class Config:
    """The whole file. Strings still contain placeholders, which `fill` replaces."""

    root: Path  # the project's folder; commands run in it
    template: Path
    port: int  # of the API
    region: str
    services: Mapping[str, Mapping[str, Any]]  # name -> options
    parameters: Mapping[str, str]  # of the template
    environment: Mapping[str, str]  # for every function
    preload: Sequence[str]  # modules that are imported for all functions while the services start
    steps: Sequence[Step]  # before the processes
    processes: Sequence[Process]
    after: Sequence[Step]  # when the API answers
    next: str  # suggestions, printed at the end


def load(root: Path) -> Config:
    """Reads `emulator.toml` in the folder `root`. Raises StackError."""
    path = root / FILE
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise StackError(f"{path} does not exist: it declares what runs besides the template") from None
    except tomllib.TOMLDecodeError as error:
        raise StackError(f"{path}: {error}") from error
    table = _Table(FILE, content)
    config = Config(
        root=root,
        template=root / table.take("template", str, "template.yaml"),
        port=table.take("port", int, 3000),
        region=table.take("region", str, "us-east-1"),
        services=table.take("services", dict, {}),
        parameters=_strings(table, "parameters"),
        environment=_strings(table, "environment"),
        preload=_names(table, "preload"),
        steps=[_step(step) for step in table.tables("steps")],
        processes=[_process(process) for process in table.tables("processes")],
        after=[_step(step) for step in table.tables("after")],
        next=_next(table),
    )
    table.end()
    _check_names(config)
    return config


def of(options: Options) -> Config:
    """What `up` should run: a template alone, or the project in the folder `root`. Raises StackError."""
    if options.template is None:
        config = load(options.root)
    else:
        template = Path(options.template)
        if not template.is_file():
            raise StackError(f"{template}: there is no such template")
        config = Config(template.parent, template, 3000, "us-east-1", {}, {}, {}, (), (), (), (), "")
    if options.services is not None:
        wanted = {name: config.services.get(name, {}) for name in options.services}
        environment = dict(config.environment)
        if "aws" in wanted:
            environment.setdefault("AWS_ENDPOINT_URL", "${aws.url}")
        config = replace(config, services=wanted, environment=environment)
    return config


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replaces every `${name}`. Raises StackError for a name that is not in `values`."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise StackError(f"{FILE}: ${{{name}}} is not known; there is {', '.join(sorted(values))}")
        return values[name]

    return _PLACEHOLDER.sub(value, text)


def fill_known(text: str, values: Mapping[str, str]) -> str:
    """`fill`, with 0 for unknown names: valid as text and as a number."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], "0"), text)


def fill_all(texts: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """`fill` for each value of a mapping."""
    return {name: fill(text, values) for name, text in texts.items()}


class _Table:
    """A table of the file. Each key is taken once; a key that remains at the end is an error."""

    def __init__(self, where: str, content: Mapping[str, Any]) -> None:
        self.where = where
        self._remaining = dict(content)

    def take(self, key: str, kind: type, default: Any = None) -> Any:
        value = self._remaining.pop(key, default)
        if value is not default and not isinstance(value, kind):
            raise StackError(f"{self.where}: {key} must be {kind.__name__}, not {value!r}")
        return value

    def require(self, key: str, kind: type) -> Any:
        if key not in self._remaining:
            raise StackError(f"{self.where}: {key} is missing")
        return self.take(key, kind)

    def tables(self, key: str) -> "list[_Table]":
        found = self.take(key, list, [])
        return [_Table(f"{self.where}: {key}[{index}]", content) for index, content in enumerate(found)]

    def end(self) -> None:
        if self._remaining:
            raise StackError(f"{self.where}: there is no {', '.join(sorted(self._remaining))}")


def _strings(table: _Table, key: str) -> dict[str, str]:
    return {name: str(value) for name, value in table.take(key, dict, {}).items()}


def _names(table: _Table, key: str) -> list[str]:
    names = table.take(key, list, [])
    for name in names:
        if not isinstance(name, str):
            raise StackError(f"{table.where}: {key} must be a list of names, not {names!r}")
    return list(names)


def _step(table: _Table) -> Step:
    step = Step(
        name=table.require("name", str),
        command=[str(word) for word in table.require("command", list)],
        environment=_strings(table, "environment"),
    )
    table.end()
    return step


def _process(table: _Table) -> Process:
    process = Process(
        name=table.require("name", str),
        command=[str(word) for word in table.require("command", list)],
        environment=_strings(table, "environment"),
        port=table.take("port", int),
        ready=table.take("ready", str),
    )
    table.end()
    return process


def _next(table: _Table) -> str:
    content = _Table(f"{FILE}: next", table.take("next", dict, {}))
    text: str = content.take("text", str, "")
    content.end()
    return text


def _check_names(config: Config) -> None:
    # Each name is a log file, a key of stack.json and a prefix of placeholders.
    taken = {"api", "lambda", "emulator", "functions", "admin", *config.services}
    for process in config.processes:
        if process.name in taken:
            raise StackError(f"{FILE}: the name of the process {process.name} is taken")
        taken.add(process.name)
