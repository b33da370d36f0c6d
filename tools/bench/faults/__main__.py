"""`make faults`: plants each fault of `faults.toml` in a copy of the code and sees whether a test fails.

    python -m tools.bench.faults                                      the working tree
    python -m tools.bench.faults --checkout 26846af --output before.json
    python -m tools.bench.faults --compare before.json                fails where fewer are noticed than before

A fault that its named tests do not notice is tried on a wider set: tests/unit and what `faults.toml` lists for its
folder, or with `--whole` all tests. At the end every test that noticed something runs without any fault. One that fails
then has noticed nothing: it is left out, and its faults are judged again.
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
OVERRAN = "out of time"  # neither noticed nor missed
# Not in the wider set: they judge the test run itself, and what a start imports, and take minutes.
NOT_WIDER = ("tests/unit/test_measures_time.py", "tests/unit/test_init_budget.py")


@dataclass(frozen=True)
class Verdict:
    """What became of one fault."""

    name: str
    kind: str
    outcome: str
    seconds: float = 0.0
    by: str = ""  # the first test that failed
    why: str = ""
    wider: bool = False  # whether the named tests had missed it
    tests: Sequence[str] = ()  # those of the named paths that the checkout has


class Run:
    def __init__(self, catalogue: Catalogue, suite: Suite, root: Path, arguments: argparse.Namespace) -> None:
        self._catalogue = catalogue
        self._suite = suite
        self._root = root
        self._named_only: bool = arguments.named_only
        self._whole: bool = arguments.whole
        self._twice: bool = arguments.twice
        self._deadline: float = arguments.deadline
        self.unfit: list[str] = []  # tests that fail without any fault

    def judge_all(self, faults: Sequence[Fault], tell: Callable[[Sequence[Verdict]], None]) -> list[Verdict]:
        """A verdict on each, in their order; `tell` is shown them after each one."""
        verdicts: dict[str, Verdict] = {}
        left, sound = list(faults), {PYTEST}
        while left:
            for fault in left:
                verdict = verdicts[fault.name] = self._judge(fault)
                print(f"{verdict.seconds:6.1f} s  {verdict.outcome:14}  {fault.name}  {verdict.by}", flush=True)
                tell(list(verdicts.values()))
            judges = {verdict.by for verdict in verdicts.values() if verdict.outcome == NOTICED}
            unfit = self._failing(sorted(judges - sound))
            sound |= judges
            left = [fault for fault in faults if verdicts[fault.name].by in unfit]
        tell(list(verdicts.values()))
        return [verdicts[fault.name] for fault in faults]

    def _failing(self, tests: Sequence[str]) -> set[str]:
        """Those of the tests that fail without any fault: they are left out from here on."""
        if not tests:
            return set()
        print(f"the {len(tests)} tests that noticed something, without any fault …", flush=True)
        outcome = self._suite.run(tests, self._deadline * len(tests), stop_at_first=False)
        if outcome.overran:
            raise SystemExit("the tests that noticed something did not end without a fault")
        for test, why in outcome.failures:
            print(f"  fails without a fault and is left out: {test} ({why})")
        print(f"  {outcome.seconds:.0f} s", flush=True)
        self.unfit += [test for test, _ in outcome.failures]
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
        """What the tests of `paths` say: an outcome, the test that failed, and why."""
        if not paths:
            return NOT_NOTICED, "", ""
        without = list(self.unfit)
        while True:
            outcome = self._suite.run(paths, deadline, without=without)
            if outcome.failures and outcome.failures[0][0] == PYTEST:  # no test said so: it must be so again
                outcome = self._suite.run(paths, deadline, without=without)
            if not outcome.failures:
                return (OVERRAN if outcome.overran else NOT_NOTICED), "", ""
            test, why = outcome.failures[0]
            if not self._twice or test == PYTEST or self._suite.run([test], deadline).failures:
                return NOTICED, test, why
            without.append(test)  # it failed once, for another reason


def main() -> None:
    arguments = _arguments()
    catalogue = load()
    faults = _chosen(catalogue.faults, arguments.only, arguments.kind)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the copy goes, and what runs in it is ended
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        root, scratch = Path(folder) / "code", Path(folder) / "scratch"
        root.mkdir()
        scratch.mkdir()
        commit = checkout.copy(arguments.checkout, root)
        run = Run(catalogue, Suite(root, scratch), root, arguments)
        verdicts = run.judge_all(faults, lambda some: _write(arguments.output, commit, some, run.unfit))
    print(f"\n{commit}\n\n{table(verdicts)}")
    for verdict in verdicts:
        if verdict.outcome not in (NOTICED, DOES_NOT_APPLY):
            wrong = next(fault.wrong for fault in faults if fault.name == verdict.name)
            print(f"{verdict.outcome}: {verdict.name}. {wrong}")
    if arguments.compare:
        before = json.loads(arguments.compare.read_text(encoding="utf-8"))["faults"]
        lost = missed(before, [asdict(verdict) for verdict in verdicts])
        if lost:
            raise SystemExit("noticed before and not now: " + ", ".join(lost))
        print("every fault that was noticed before and applies is noticed now")


def table(verdicts: Sequence[Verdict]) -> str:
    """Totals by kind, as Markdown."""
    outcomes = (NOTICED, NOT_NOTICED, OVERRAN, DOES_NOT_APPLY)
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
        raise SystemExit(f"there is no fault {', '.join(sorted(unknown))}")
    return [fault for fault in faults if (not only or fault.name in only) and kind in (None, fault.kind)]


def _write(path: Path | None, commit: str, verdicts: Sequence[Verdict], unfit: Sequence[str]) -> None:
    """After each verdict, so that a run that is ended leaves those it has."""
    if path is not None:
        document = {"checkout": commit, "left_out": unfit, "faults": [asdict(verdict) for verdict in verdicts]}
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--checkout", metavar="COMMIT", help="plant into this commit's files; else the working tree's")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these faults")
    parser.add_argument("--kind", help="only faults of this kind")
    parser.add_argument("--named-only", action="store_true", help="do not try a wider set of tests")
    parser.add_argument("--whole", action="store_true", help="the wider set is every test there is")
    parser.add_argument("--twice", action="store_true", help="a test counts that fails twice: for a busy machine")
    parser.add_argument("--deadline", type=float, default=600, metavar="SECONDS", help="for a fault's named tests")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the verdicts there, as JSON")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="an earlier output; fail where fewer are noticed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
