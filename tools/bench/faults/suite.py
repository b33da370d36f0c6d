"""pytest on a copy of the code, within a deadline."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S.*?)(?: - (.*))?$", re.MULTILINE)
_NO_TESTS = 5  # pytest's exit code if no test was collected
PYTEST = "pytest itself"  # in place of a test name, if none could run: a conftest that cannot be imported


@dataclass(frozen=True)
class Outcome:
    """The result of a run. `failures` are the ids of failed tests, in order, each with the reason."""

    failures: tuple[tuple[str, str], ...]
    seconds: float
    timed_out: bool = False  # ended at its deadline

    @property
    def passed(self) -> bool:
        return not self.failures and not self.timed_out


def failed_tests(output: str) -> tuple[tuple[str, str], ...]:
    """The tests that pytest's summary names (`-rfE`), in order, and why each failed."""
    return tuple((test, why.strip()) for test, why in _FAILED.findall(output))


class Suite:
    """The tests of the copy at `root`. `scratch` is a folder for bytecode and logs."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self._root = root
        self._scratch = scratch

    def existing(self, paths: Iterable[str]) -> list[str]:
        """The existing paths, in order. Paths may be globs."""
        found = (sorted(self._root.glob(path)) for path in paths)
        return list(dict.fromkeys(str(each.relative_to(self._root)) for some in found for each in some))

    def run(
        self, paths: Sequence[str], deadline: float, *, stop_at_first: bool = True, without: Iterable[str] = ()
    ) -> Outcome:
        """Run the tests of `paths`, except those with ids in `without`, for at most `deadline` seconds."""
        command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=short", "-p", "no:randomly", *paths]
        command.append("--ignore-glob=*/test_faults.py")  # it always fails with a planted fault
        if find_spec("xdist"):
            command += ["-n", "0"]  # one process, so that -x stops at the first failure in order
        if stop_at_first:
            command.append("-x")
        for test in without:
            command += ["--deselect", test]
        log = self._scratch / "pytest.log"
        began = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self._root,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            timed_out = False
            try:
                process.wait(deadline)
            except subprocess.TimeoutExpired:
                timed_out = True
            finally:
                with suppress(ProcessLookupError):  # also ends processes that a failed run left
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        text = log.read_text(encoding="utf-8", errors="replace")
        failures = failed_tests(text)
        if not failures and not timed_out and process.returncode not in (0, _NO_TESTS):
            failures = ((PYTEST, text.strip()[-200:]),)
        return Outcome(failures, time.monotonic() - began, timed_out)

    def _environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
        # The bytecode is outside the code and shared by all runs. Python compares the source's size and second of
        # change: no run is so short that a fault is planted and removed within one second.
        ours.pop("PYTHONDONTWRITEBYTECODE", None)
        wide = {"COLUMNS": "500"}  # otherwise pytest cuts off long reasons
        return ours | wide | {"PYTHONPYCACHEPREFIX": str(self._scratch / "bytecode")}
