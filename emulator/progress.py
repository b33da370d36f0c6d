"""The progress of a long start, step by step."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

State = Literal["begun", "note", "done", "failed", "ready"]


@dataclass(frozen=True)
class Step:
    """One line of progress. `ready`, or `failed` without a name, ends the start."""

    name: str
    state: State
    text: str = ""


Report = Callable[[Step], None]


def silent(step: Step) -> None:
    """Reports nothing."""


class ProgressFile:
    """A file of JSON lines: the daemon writes it, `up` follows it.

    A file rather than a pipe, so that `up` can end, or a second `up` can follow, without effect on the daemon.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, step: Step) -> None:
        """Adds one step."""
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(step)) + "\n")

    def forget(self) -> None:
        """Deletes the file of an earlier daemon with the same pid: in a container every start has the same pids."""
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
                writing = alive()  # before the read, so that the last lines of a writer that ends are not missed
                rest += file.read()
                *lines, rest = rest.split("\n")
                for line in lines:
                    yield Step(**json.loads(line))
                if not writing:
                    return
                yield None
                time.sleep(pause)
