"""What a test that measures time gets, and no other: the machine to itself, and another try where others had it."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.concurrently import concurrently
from tests.support.exclusive_runs import Turns
from tests.support.processor_steal import ProcessorSteal

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.starts_processes
ROOT = Path(__file__).parents[2]
INSIDE: list[None] = []
Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run_with_our_conftest(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a test file under this suite's rules, on a machine of which others have a share."""

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

            conftest.STOLEN.share = lambda: {share}
            {settings}
            """
        )
        pytester.makepyfile(tests)
        return pytester.runpytest_subprocess("-p", "no:randomly", "--tb=no", timeout=60)

    return run


def of(user: int, idle: int, steal: int) -> str:
    return f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"


def test_what_others_had_is_counted_from_the_beginning_on(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text(of(100, 100, 800), encoding="ascii")
    stolen = ProcessorSteal(stat)
    stat.write_text(of(160, 110, 830), encoding="ascii")
    assert stolen.share() == pytest.approx(0.3)
    stolen.begin()
    assert stolen.share() == 0


def test_a_machine_that_does_not_tell_has_lost_nothing(tmp_path: Path) -> None:
    assert ProcessorSteal(tmp_path / "nowhere").share() == 0


MARKED = "@pytest.mark.measures_time(reason='a deadline is what it tests')"


@pytest.mark.parametrize(("share", "mark", "times"), [(0.05, MARKED, 1), (0.4, MARKED, 3), (0.4, "", 1)])
def test_a_failure_is_repeated_on_a_stolen_machine_only_if_the_test_measures_time(
    run_with_our_conftest: Run, share: float, mark: str, times: int
) -> None:
    done = run_with_our_conftest(share, f"import pytest\n\n{mark}\ndef test_no(): assert not 'yes'")
    outcomes = done.parseoutcomes()
    assert (outcomes["failed"], outcomes.get("rerun", 0)) == (1, times - 1)


def test_who_measures_time_gives_a_reason(run_with_our_conftest: Run) -> None:
    done = run_with_our_conftest(0, "import pytest\n\n@pytest.mark.measures_time\ndef test_no(): pass")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*test_no: measures_time needs a reason"])


def test_a_fixture_that_hangs_after_the_timeout_ends_with_its_process(run_with_our_conftest: Run) -> None:
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
        "conftest.TO_CLEAN_UP = 2",
    )
    assert done.ret == 1
    done.stderr.fnmatch_lines(["Timeout (0:00:02)!"])


def test_a_test_that_measures_time_runs_alone(tmp_path: Path) -> None:
    """Three that enter together and one alone, again and again; each counts who is inside."""
    alone, *others = concurrently([partial(take_turns, tmp_path, alone=each) for each in (True, False, False, False)])
    assert alone == {1}
    assert any(isinstance(seen, set) and max(seen) > 1 for seen in others)


def take_turns(folder: Path, *, alone: bool) -> set[int]:
    """How many were inside whenever this one was."""
    turns, seen = Turns(folder), set[int]()
    for _ in range(30):
        with turns.turn(alone=alone):
            INSIDE.append(None)
            time.sleep(0.002)
            seen.add(len(INSIDE))
            INSIDE.pop()
    return seen
