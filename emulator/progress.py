"""What a long start says about itself, step by step."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

State = Literal["begun", "note", "done", "failed", "ready"]


@dataclass(frozen=True)
class Step:
    """One line of progress. `ready` and a `failed` without a name close the whole start."""

    name: str
    state: State
    text: str = ""


Report = Callable[[Step], None]


def silent(step: Step) -> None:
    """Reports to nobody."""


class ProgressFile:
    """A file of JSON lines: the daemon writes it, `up` follows it.

    A file rather than a pipe, so that `up` can go away, or a second `up` come and watch, and the daemon does not mind.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, step: Step) -> None:
        """Adds one step."""
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(step)) + "\n")

    def forget(self) -> None:
        """Drops what an earlier daemon with the same pid said: in a container every start gives the same pids."""
        self._path.unlink(missing_ok=True)

    def follow(self, alive: Callable[[], bool], pause: float = 0.02) -> Iterator[Step | None]:
        """Yields each step as it comes and None in between, until the writer is no longer `alive`."""
        while not self._path.exists():
            if not alive():
                return
            yield None
            time.sleep(pause)
        with self._path.open() as file:
            rest = ""
            while True:
                writing = alive()  # before the read, so that what a dying writer still wrote is not missed
                rest += file.read()
                *lines, rest = rest.split("\n")
                for line in lines:
                    yield Step(**json.loads(line))
                if not writing:
                    return
                yield None
                time.sleep(pause)
