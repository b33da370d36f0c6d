"""`make faults`: plants each fault of `faults.toml` in a copy of the code and checks whether a test fails.

    python -m tools.bench.faults                                      the working tree
    python -m tools.bench.faults --checkout 26846af --output before.json
    python -m tools.bench.faults --compare before.json                fails if a fault noticed before is not noticed now

If its named tests do not notice a fault, a wider set runs: tests/unit and the tests that `faults.toml` lists for the
folder, or with `--whole` all tests. At the end, every test that noticed a fault runs without one. A test that fails
then is excluded, and its faults are judged again.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools.bench.faults import checkout
from tools.bench.faults.catalogue import Catalogue, DoesNotApply, Fault, load, planted
from tools.bench.faults.suite import PYTEST, Suite

NOTICED, NOT_NOTICED, DOES_NOT_APPLY = "noticed", "not noticed", "does not apply"
TIMED_OUT = "out of time"  # neither noticed nor missed
# Not in the wider set: they test the test run itself and the imports of a start, and take minutes.
NOT_WIDER = ("tests/unit/test_measures_time.py", "tests/unit/test_init_budget.py")


@dataclass(frozen=True)
class Verdict:
    """The result for one fault."""

    name: str
    kind: str
    outcome: str
    seconds: float = 0.0
    by: str = ""  # the first test that failed
    why: str = ""
    wider: bool = False  # whether the wider set ran, after the named tests
    tests: Sequence[str] = ()  # the named paths that exist in the checkout


class Run:
    def __init__(self, catalogue: Catalogue, suite: Suite, root: Path, arguments: argparse.Namespace) -> None:
        self._catalogue = catalogue
        self._suite = suite
        self._root = root
        self._named_only: bool = arguments.named_only
        self._whole: bool = arguments.whole
        self._twice: bool = arguments.twice
        self._deadline: float = arguments.deadline
        self.unreliable: list[str] = []  # tests that fail without any fault

    def judge_all(self, faults: Sequence[Fault], report: Callable[[Sequence[Verdict]], None]) -> list[Verdict]:
        """The verdict on each fault, in order. Calls `report` with the verdicts so far after each one."""
        verdicts: dict[str, Verdict] = {}
        left, reliable = list(faults), {PYTEST}
        while left:
            for fault in left:
                verdict = verdicts[fault.name] = self._judge(fault)
                print(f"{verdict.seconds:6.1f} s  {verdict.outcome:14}  {fault.name}  {verdict.by}", flush=True)
                report(list(verdicts.values()))
            detectors = {verdict.by for verdict in verdicts.values() if verdict.outcome == NOTICED}
            unreliable = self._failing(sorted(detectors - reliable))
            reliable |= detectors
            left = [fault for fault in faults if verdicts[fault.name].by in unreliable]
        report(list(verdicts.values()))
        return [verdicts[fault.name] for fault in faults]

    def _failing(self, tests: Sequence[str]) -> set[str]:
        """The tests that fail without any fault. They are excluded from then on."""
        if not tests:
            return set()
        print(f"the {len(tests)} tests that noticed a fault, without any fault …", flush=True)
        outcome = self._suite.run(tests, self._deadline * len(tests), stop_at_first=False)
        if outcome.timed_out:
            raise SystemExit("the tests that noticed a fault did not end in time without one")
        for test, why in outcome.failures:
            print(f"  fails without a fault and is excluded: {test} ({why})")
        print(f"  {outcome.seconds:.0f} s", flush=True)
        self.unreliable += [test for test, _ in outcome.failures]
        return {test for test, _ in outcome.failures}

    def _judge(self, fault: Fault) -> Verdict:
        try:
            edit = fault.edit_for(self._root)
        except DoesNotApply:
            return Verdict(fault.name, fault.kind, DOES_NOT_APPLY)
        named = self._suite.existing(fault.tests)
        began = time.monotonic()
        with planted(edit, self._root):
            outcome, test, why = self._try(named, self._deadline)
        wider = outcome == NOT_NOTICED and not self._named_only
        if wider:
            outcome, test, why = self._try_wider(fault, named)
        seconds = round(time.monotonic() - began, 1)
        return Verdict(fault.name, fault.kind, outcome, seconds, test, why[:200], wider, named)

    def _try_wider(self, fault: Fault, named: Sequence[str]) -> tuple[str, str, str]:
        edit = fault.edit_for(self._root)
        globs = ["tests"] if self._whole else [*self._catalogue.wider_tests(edit.file), "tests/unit/test_*.py"]
        paths = [path for path in self._suite.existing(globs) if path not in (*named, *NOT_WIDER)]
        with planted(edit, self._root):
            return self._try(paths, 10 * self._deadline)

    def _try(self, paths: Sequence[str], deadline: float) -> tuple[str, str, str]:
        """The outcome of the tests of `paths`, the test that failed, and why."""
        if not paths:
            return NOT_NOTICED, "", ""
        without = list(self.unreliable)
        while True:
            outcome = self._suite.run(paths, deadline, without=without)
            if outcome.failures and outcome.failures[0][0] == PYTEST:  # pytest itself failed: it must fail twice
                outcome = self._suite.run(paths, deadline, without=without)
            if not outcome.failures:
                return (TIMED_OUT if outcome.timed_out else NOT_NOTICED), "", ""
            test, why = outcome.failures[0]
            if not self._twice or test == PYTEST or self._suite.run([test], deadline).failures:
                return NOTICED, test, why
            without.append(test)  # it failed only once, so not because of the fault


def main() -> None:
    arguments = _arguments()
    catalogue = load()
    faults = _chosen(catalogue.faults, arguments.only, arguments.kind)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # deletes the copy and ends the tests in it
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        root, scratch = Path(folder) / "code", Path(folder) / "scratch"
        root.mkdir()
        scratch.mkdir()
        commit = checkout.copy(arguments.checkout, root)
        run = Run(catalogue, Suite(root, scratch), root, arguments)
        verdicts = run.judge_all(faults, lambda done: _write(arguments.output, commit, done, run.unreliable))
    print(f"\n{commit}\n\n{table(verdicts)}")
    for verdict in verdicts:
        if verdict.outcome not in (NOTICED, DOES_NOT_APPLY):
            wrong = next(fault.wrong for fault in faults if fault.name == verdict.name)
            print(f"{verdict.outcome}: {verdict.name}. {wrong}")
    if arguments.compare:
        before = json.loads(arguments.compare.read_text(encoding="utf-8"))["faults"]
        lost = missed(before, [asdict(verdict) for verdict in verdicts])
        if lost:
            raise SystemExit("noticed before, but not now: " + ", ".join(lost))
        print("every fault that was noticed before and applies is noticed now")


def table(verdicts: Sequence[Verdict]) -> str:
    """Totals by kind, as Markdown."""
    outcomes = (NOTICED, NOT_NOTICED, TIMED_OUT, DOES_NOT_APPLY)
    lines = [f"| kind | faults | {' | '.join(outcomes)} |", "|---" + "|---:" * (len(outcomes) + 1) + "|"]
    for kind in [*dict.fromkeys(verdict.kind for verdict in verdicts), "all"]:
        of_kind = [verdict for verdict in verdicts if kind in ("all", verdict.kind)]
        counts = Counter(verdict.outcome for verdict in of_kind)
        lines.append(f"| {kind} | {len(of_kind)} | {' | '.join(str(counts[outcome]) for outcome in outcomes)} |")
    return "\n".join([*lines, ""])


def missed(before: Sequence[dict[str, Any]], now: Sequence[dict[str, Any]]) -> list[str]:
    """The names of faults that were noticed before and are planted but not noticed now."""
    noticed = {verdict["name"] for verdict in before if verdict["outcome"] == NOTICED}
    return [
        verdict["name"]
        for verdict in now
        if verdict["name"] in noticed and verdict["outcome"] not in (NOTICED, DOES_NOT_APPLY)
    ]


def _chosen(faults: Sequence[Fault], only: Sequence[str], kind: str | None) -> list[Fault]:
    unknown = set(only) - {fault.name for fault in faults}
    if unknown:
        raise SystemExit(f"unknown fault: {', '.join(sorted(unknown))}")
    return [fault for fault in faults if (not only or fault.name in only) and kind in (None, fault.kind)]


def _write(path: Path | None, commit: str, verdicts: Sequence[Verdict], unreliable: Sequence[str]) -> None:
    """Write the verdicts so far, so that an interrupted run keeps them."""
    if path is not None:
        document = {"checkout": commit, "left_out": unreliable, "faults": [asdict(verdict) for verdict in verdicts]}
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--checkout", metavar="COMMIT", help="use this commit's files; default: the working tree")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these faults")
    parser.add_argument("--kind", help="only faults of this kind")
    parser.add_argument("--named-only", action="store_true", help="do not try a wider set of tests")
    parser.add_argument("--whole", action="store_true", help="the wider set is all tests")
    parser.add_argument("--twice", action="store_true", help="count only tests that fail twice, for a busy machine")
    parser.add_argument("--deadline", type=float, default=600, metavar="SECONDS", help="for a fault's named tests")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the verdicts to this file, as JSON")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="fail if a fault noticed in it is missed now")
    return parser.parse_args()


if __name__ == "__main__":
    main()
