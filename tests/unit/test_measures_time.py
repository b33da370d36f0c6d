"""A test that measures time runs alone, and is repeated if other machines took much processor time."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.concurrently import concurrently
from tests.support.exclusive_runs import ExclusiveRuns
from tests.support.processor_steal import ProcessorSteal

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.starts_processes
ROOT = Path(__file__).parents[2]
RUNNING: list[None] = []
Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run_with_our_conftest(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a test file with this suite's conftest, on a machine with this share of steal time."""

    def run(share: float, tests: str, settings: str = "") -> pytest.RunResult:
        monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT}/layers/common/python")
        pytester.makeini("[pytest]\ntimeout = 60\nmarkers = measures_time\n")
        pytester.makeconftest(
            f"""
            from tests import conftest
            from tests.conftest import (
                pytest_collection_modifyitems, pytest_configure, pytest_exception_interact,
                pytest_runtest_protocol, pytest_runtest_setup,
            )

            conftest.STEAL.share = lambda: {share}
            {settings}
            """
        )
        pytester.makepyfile(tests)
        return pytester.runpytest_subprocess("-p", "no:randomly", "--tb=no", timeout=60)

    return run


def of(user: int, idle: int, steal: int) -> str:
    return f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"


def test_steal_time_is_counted_since_begin(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text(of(100, 100, 800), encoding="ascii")
    steal = ProcessorSteal(stat)
    stat.write_text(of(160, 110, 830), encoding="ascii")
    assert steal.share() == pytest.approx(0.3)
    steal.begin()
    assert steal.share() == 0


def test_without_proc_stat_the_share_is_zero(tmp_path: Path) -> None:
    assert ProcessorSteal(tmp_path / "nowhere").share() == 0


MARKED = "@pytest.mark.measures_time(reason='a deadline is what it tests')"


@pytest.mark.parametrize(("share", "mark", "times"), [(0.05, MARKED, 1), (0.4, MARKED, 3), (0.4, "", 1)])
def test_a_failure_under_steal_time_is_repeated_only_if_the_test_measures_time(
    run_with_our_conftest: Run, share: float, mark: str, times: int
) -> None:
    done = run_with_our_conftest(share, f"import pytest\n\n{mark}\ndef test_no(): assert not 'yes'")
    outcomes = done.parseoutcomes()
    assert (outcomes["failed"], outcomes.get("rerun", 0)) == (1, times - 1)


def test_measures_time_needs_a_reason(run_with_our_conftest: Run) -> None:
    done = run_with_our_conftest(0, "import pytest\n\n@pytest.mark.measures_time\ndef test_no(): pass")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*test_no: measures_time needs a reason"])


def test_the_process_of_a_fixture_that_hangs_after_the_timeout_is_ended(run_with_our_conftest: Run) -> None:
    done = run_with_our_conftest(
        0,
        """
        import pytest, threading

        @pytest.fixture
        def hangs():
            yield
            threading.Event().wait()

        @pytest.mark.timeout(0.1)
        def test_no(hangs): threading.Event().wait()
        """,
        "conftest.CLEAN_UP_SECONDS = 2",
    )
    assert done.ret == 1
    done.stderr.fnmatch_lines(["Timeout (0:00:02)!"])


def test_a_test_that_measures_time_runs_alone(tmp_path: Path) -> None:
    """Three threads run together and one runs alone, repeatedly; each counts how many are running."""
    alone, *others = concurrently(
        [partial(run_repeatedly, tmp_path, alone=each) for each in (True, False, False, False)]
    )
    assert alone == {1}
    assert any(isinstance(seen, set) and max(seen) > 1 for seen in others)


def run_repeatedly(folder: Path, *, alone: bool) -> set[int]:
    """How many were running at the same time as this one."""
    runs, seen = ExclusiveRuns(folder), set[int]()
    for _ in range(30):
        with runs.run(alone=alone):
            RUNNING.append(None)
            time.sleep(0.002)
            seen.add(len(RUNNING))
            RUNNING.pop()
    return seen
