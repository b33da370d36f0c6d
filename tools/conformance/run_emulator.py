"""Starts one emulator, runs the suite against it, stops it. A separate module, because other processes import it."""

import tempfile
from pathlib import Path

from tools.conformance.behaviours import CATALOGUE
from tools.conformance.emulators import EMULATORS
from tools.conformance.report import Column
from tools.conformance.run_setup import CannotStart, prepare
from tools.conformance.suite import ask


def run_emulator(name: str, part: str) -> Column:
    """A column of the table: every behaviour whose name contains `part`. Has a Kafka and a recorder of its own."""
    emulator = EMULATORS[name]()
    behaviours = [one for one in CATALOGUE if part in one.name]
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder, prepare(Path(folder)) as setup:
        try:
            return emulator.title, ask(emulator.start(setup), behaviours)
        except CannotStart as reason:
            return emulator.title, str(reason)
        finally:
            emulator.stop()
