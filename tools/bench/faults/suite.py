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
_NO_TESTS = 5  # pytest's exit code where nothing was collected
PYTEST = "pytest itself"  # stands for a test where none could be run: a conftest that cannot be imported


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `failures` are the ids of failed tests, the first one first, and why."""

    failures: tuple[tuple[str, str], ...]
    seconds: float
    overran: bool = False  # stopped at its deadline

    @property
    def passed(self) -> bool:
        return not self.failures and not self.overran


def failed_tests(output: str) -> tuple[tuple[str, str], ...]:
    """The tests that pytest's summary names (`-rfE`), in order, and why each failed."""
    return tuple((test, why.strip()) for test, why in _FAILED.findall(output))


class Suite:
    """The tests of the copy at `root`. `scratch` is a folder for bytecode and logs."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self._root = root
        self._scratch = scratch

    def existing(self, paths: Iterable[str]) -> list[str]:
        """Those of the paths, which may be globs, that the copy has, in their order."""
        found = (sorted(self._root.glob(path)) for path in paths)
        return list(dict.fromkeys(str(each.relative_to(self._root)) for some in found for each in some))

    def run(
        self, paths: Sequence[str], deadline: float, *, stop_at_first: bool = True, without: Iterable[str] = ()
    ) -> Outcome:
        """Runs the tests of `paths` for at most `deadline` seconds, but for the ids `without`."""
        command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=short", "-p", "no:randomly", *paths]
        command.append("--ignore-glob=*/test_faults.py")  # it sees at once that a fault no longer applies
        if find_spec("xdist"):
            command += ["-n", "0"]  # one process: with -x the first failure then is the first in order
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
            overran = False
            try:
                process.wait(deadline)
            except subprocess.TimeoutExpired:
                overran = True
            finally:
                with suppress(ProcessLookupError):  # also what a failed run has left behind
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        text = log.read_text(encoding="utf-8", errors="replace")
        failures = failed_tests(text)
        if not failures and not overran and process.returncode not in (0, _NO_TESTS):
            failures = ((PYTEST, text.strip()[-200:]),)
        return Outcome(failures, time.monotonic() - began, overran)

    def _environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
        # Apart from the code, and shared by all runs. Python takes it for stale by the source's size and second of
        # change: no run is so short that a fault is planted and taken out again within one second.
        ours.pop("PYTHONDONTWRITEBYTECODE", None)
        wide = {"COLUMNS": "500"}  # pytest cuts the reasons off that do not fit
        return ours | wide | {"PYTHONPYCACHEPREFIX": str(self._scratch / "bytecode")}
