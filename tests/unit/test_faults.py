"""The planted faults: the list matches the code, and the verdicts are correct."""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from tools.bench.faults.__main__ import DOES_NOT_APPLY, NOT_NOTICED, NOTICED, Run, Verdict, missed
from tools.bench.faults.catalogue import Catalogue, DoesNotApply, Edit, Fault, load, planted
from tools.bench.faults.checkout import ROOT
from tools.bench.faults.suite import Outcome, Suite, failed_tests

KINDS = ("rules", "sql", "handlers", "emulator", "relay")


def fault(name: str, text: str, *others: str) -> Fault:
    edits = tuple(Edit("code.py", each, "broken") for each in (text, *others))
    return Fault(name, "rules", "It breaks.", edits, ("test_code.py", "test_moved.py"))


class OneTest(Suite):
    """Replaces pytest: one test that fails if the code contains "broken", and optionally one that always fails."""

    def __init__(self, root: Path, *, always_fails: str = "") -> None:
        super().__init__(root, root)
        self._always_fails = always_fails
        self.runs: list[Sequence[str]] = []

    def run(
        self, paths: Sequence[str], deadline: float, *, stop_at_first: bool = True, without: Iterable[str] = ()
    ) -> Outcome:
        self.runs.append(paths)
        broken = "broken" in (self._root / "code.py").read_text()
        failing = [self._always_fails] * bool(self._always_fails) + ["test_code.py::test_it"] * broken
        return Outcome(tuple((test, "assert") for test in failing if test not in without), 1.0)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "code.py").write_text("one two two three\n")
    (tmp_path / "test_code.py").touch()
    return tmp_path


def verdicts(suite: Suite, root: Path, *faults: Fault, twice: bool = False) -> list[Verdict]:
    arguments = argparse.Namespace(named_only=False, whole=False, twice=twice, deadline=1.0)
    return Run(Catalogue(faults, {}), suite, root, arguments).judge_all(faults, lambda _: None)


def test_every_fault_applies_to_this_code() -> None:
    """If you change such a line, add its new text to the list, in `[[fault.or]]`."""
    stale = []
    for each in load().faults:
        try:
            each.edit_for(ROOT)
        except DoesNotApply as error:
            stale.append(str(error))
    assert not stale


def test_every_fault_names_existing_tests() -> None:
    suite = Suite(ROOT, ROOT)
    assert [each.name for each in load().faults if not suite.existing(each.tests)] == []


def test_the_faults_are_many_and_of_every_kind() -> None:
    faults = load().faults
    kinds = Counter(each.kind for each in faults)
    assert len(faults) >= 66
    assert min(kinds[kind] for kind in KINDS) >= 10
    assert len({each.name for each in faults}) == len(faults)


def test_a_fault_is_in_the_code_only_while_it_is_planted(code: Path) -> None:
    with planted(Edit("code.py", "three", "3"), code):
        assert (code / "code.py").read_text() == "one two two 3\n"
    assert (code / "code.py").read_text() == "one two two three\n"


@pytest.mark.parametrize("text", ["two", "four"])
def test_a_text_that_does_not_occur_exactly_once_does_not_apply(code: Path, text: str) -> None:
    (verdict,) = verdicts(OneTest(code), code, fault("ambiguous", text))
    assert verdict.outcome == DOES_NOT_APPLY


def test_the_alternative_text_is_planted_if_the_first_is_missing(code: Path) -> None:
    (verdict,) = verdicts(OneTest(code), code, fault("alternative", "four", "one"))
    assert (verdict.outcome, verdict.by) == (NOTICED, "test_code.py::test_it")


def test_named_tests_that_a_checkout_does_not_have_are_skipped(code: Path) -> None:
    (verdict,) = verdicts(OneTest(code), code, fault("plain", "one"))
    assert verdict.tests == ["test_code.py"]


def test_a_fault_that_no_test_notices_is_tried_on_a_wider_set(code: Path) -> None:
    (code / "tests" / "unit").mkdir(parents=True)
    (code / "tests" / "unit" / "test_more.py").touch()
    harmless = Fault("harmless", "rules", "Nothing.", (Edit("code.py", "one", "1"),), ("test_code.py",))
    suite = OneTest(code)
    (verdict,) = verdicts(suite, code, harmless)
    assert (verdict.outcome, verdict.wider) == (NOT_NOTICED, True)
    assert suite.runs == [["test_code.py"], ["tests/unit/test_more.py"]]


def test_a_test_that_fails_without_any_fault_does_not_count(code: Path) -> None:
    suite = OneTest(code, always_fails="test_code.py::test_failing")
    real, harmless = (
        fault("real", "one"),
        Fault("harmless", "rules", "", (Edit("code.py", "one", "1"),), ("test_code.py",)),
    )
    found = verdicts(suite, code, real, harmless)
    assert [(each.outcome, each.by) for each in found] == [(NOTICED, "test_code.py::test_it"), (NOT_NOTICED, "")]


class FailsFirst(OneTest):
    """As on a busy machine: the first run fails with or without a fault."""

    def run(
        self, paths: Sequence[str], deadline: float, *, stop_at_first: bool = True, without: Iterable[str] = ()
    ) -> Outcome:
        outcome = super().run(paths, deadline, stop_at_first=stop_at_first, without=without)
        return Outcome((("test_code.py::test_slow", "timeout"),), 1.0) if len(self.runs) == 1 else outcome


@pytest.mark.parametrize(("twice", "outcome"), [(True, NOT_NOTICED), (False, NOTICED)])
def test_with_twice_a_test_must_fail_twice_to_count(code: Path, twice: bool, outcome: str) -> None:
    harmless = Fault("harmless", "rules", "", (Edit("code.py", "one", "1"),), ("test_code.py",))
    (verdict,) = verdicts(FailsFirst(code), code, harmless, twice=twice)
    assert verdict.outcome == outcome


def test_faults_that_are_no_longer_noticed_are_listed() -> None:
    before = [{"name": name, "outcome": NOTICED} for name in ("kept", "lost", "changed")]
    before.append({"name": "never", "outcome": NOT_NOTICED})
    outcomes = {"kept": NOTICED, "lost": NOT_NOTICED, "changed": DOES_NOT_APPLY, "never": NOT_NOTICED}
    assert missed(before, [{"name": name, "outcome": outcome} for name, outcome in outcomes.items()]) == ["lost"]


def test_failed_tests_and_reasons_are_read_from_pytests_summary() -> None:
    output = """
...F
=========================== short test summary info ============================
FAILED tests/test_some.py::test_bad[a b] - assert 'a b' == 'd'
ERROR tests/test_other.py - ModuleNotFoundError: No module named 'x'
FAILED tests/test_some.py::test_worse
2 failed, 3 passed, 1 error in 0.31s
"""
    assert failed_tests(output) == (
        ("tests/test_some.py::test_bad[a b]", "assert 'a b' == 'd'"),
        ("tests/test_other.py", "ModuleNotFoundError: No module named 'x'"),
        ("tests/test_some.py::test_worse", ""),
    )
