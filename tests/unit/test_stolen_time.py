"""A test may be repeated when the machine was somebody else's, and then only."""

from pathlib import Path

import pytest

from tests.stolen_time import StolenTime

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]


def of(user: int, idle: int, steal: int) -> str:
    return f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"


def test_what_others_had_is_counted_from_the_beginning_on(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text(of(100, 100, 800), encoding="ascii")
    stolen = StolenTime(stat)
    stat.write_text(of(160, 110, 830), encoding="ascii")
    assert stolen.share() == pytest.approx(0.3)
    stolen.begin()
    assert stolen.share() == 0


def test_a_machine_that_does_not_tell_has_lost_nothing(tmp_path: Path) -> None:
    assert StolenTime(tmp_path / "nowhere").share() == 0


@pytest.mark.parametrize(("share", "times"), [(0.05, 1), (0.4, 3)])
def test_a_failure_is_repeated_on_a_stolen_machine_only(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, share: float, times: int
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT}/layers/common/python")
    pytester.makeconftest(
        f"""
        from tests import conftest
        from tests.conftest import pytest_collection_modifyitems, pytest_runtest_setup

        conftest.STOLEN.share = lambda: {share}
        """
    )
    pytester.makepyfile("def test_no(): assert not 'yes'")
    done = pytester.runpytest_subprocess("-p", "no:randomly")
    outcomes = done.parseoutcomes()
    assert (outcomes["failed"], outcomes.get("rerun", 0)) == (1, times - 1)
