"""Runs the suite against the emulators and writes docs/conformance.md.

make conformance                       all of them: about four minutes, needs Docker for sam local
make conformance ARGS="--only ours"    prints what differs, and writes nothing
"""

import argparse
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context

from tools.conformance.behaviours import CATALOGUE
from tools.conformance.emulators import EMULATORS
from tools.conformance.report import render
from tools.conformance.run_emulator import run_emulator
from tools.conformance.run_setup import ROOT
from tools.conformance.suite import Outcome

PAGE = ROOT / "docs" / "conformance.md"


def main() -> int:
    """The exit code says whether our own emulator answers as AWS everywhere."""
    parser = argparse.ArgumentParser(prog="python -m tools.conformance", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(EMULATORS), help="print only, write no page")
    parser.add_argument("--behaviour", default="", help="only those whose name contains this; print only")
    chosen = parser.parse_args()
    names = chosen.only or list(EMULATORS)
    with ProcessPoolExecutor(len(names), mp_context=get_context("spawn")) as pool:
        columns = list(pool.map(run_emulator, names, repeat(chosen.behaviour)))
    for title, outcomes in columns:
        _tell(title, outcomes)
    if chosen.only is None and not chosen.behaviour:
        PAGE.write_text(render(CATALOGUE, columns))
        print(f"wrote {PAGE.relative_to(ROOT)}")
    outcomes = columns[0][1]
    clean = not isinstance(outcomes, str) and all(one.verdict != "differs" for one in outcomes.values())
    return 0 if clean else 1


def _tell(title: str, outcomes: Mapping[str, Outcome] | str) -> None:
    if isinstance(outcomes, str):
        print(f"{title}: cannot start: {outcomes}")
        return
    wrong = {name: outcome.answered for name, outcome in outcomes.items() if outcome.verdict == "differs"}
    print(f"{title}: {len(outcomes) - len(wrong)} of {len(outcomes)} as AWS or not offered")
    for name, answered in wrong.items():
        print(f"  {name}: {answered}")


if __name__ == "__main__":
    sys.exit(main())
