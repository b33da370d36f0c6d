"""The emulators: each one adapter, that starts it on the suite's template and stops it."""

from collections.abc import Mapping
from typing import Protocol

from tools.conformance.emulator_client import EmulatorClient
from tools.conformance.emulators.ministack import MiniStack
from tools.conformance.emulators.ours import Ours
from tools.conformance.emulators.sam_local import SamLocal
from tools.conformance.run_setup import RunSetup


class Emulator(Protocol):
    """What an adapter does."""

    title: str  # in the table's head

    def start(self, setup: RunSetup) -> EmulatorClient:
        """Returns when it answers; raises CannotStart."""

    def stop(self) -> None:
        """Ends what `start` started, however far it came. May be called without it."""


EMULATORS: Mapping[str, type[Emulator]] = {"ours": Ours, "sam": SamLocal, "ministack": MiniStack}
