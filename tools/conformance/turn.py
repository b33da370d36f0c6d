"""One emulator's turn, from start to stop. A module of its own: other processes import it."""

import tempfile
from pathlib import Path

from tools.conformance.behaviours import CATALOGUE
from tools.conformance.emulators import EMULATORS
from tools.conformance.ground import CannotStart, prepare
from tools.conformance.report import Column
from tools.conformance.suite import ask


def take_turn(name: str, part: str) -> Column:
    """A column of the table: every behaviour whose name contains `part`. Has a Kafka and a witness of its own."""
    emulator = EMULATORS[name]()
    behaviours = [one for one in CATALOGUE if part in one.name]
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder, prepare(Path(folder)) as ground:
        try:
            return emulator.title, ask(emulator.start(ground), behaviours)
        except CannotStart as reason:
            return emulator.title, str(reason)
        finally:
            emulator.stop()
