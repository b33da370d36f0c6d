"""The emulators: each one adapter, that starts it on the suite's template and stops it."""

from collections.abc import Mapping
from typing import Protocol

from tools.conformance.emulators.ministack import MiniStack
from tools.conformance.emulators.ours import Ours
from tools.conformance.emulators.sam_local import SamLocal
from tools.conformance.ground import Ground
from tools.conformance.stand import Stand


class Emulator(Protocol):
    """What an adapter does."""

    title: str  # in the table's head

    def start(self, ground: Ground) -> Stand:
        """Returns when it answers; raises CannotStart."""

    def stop(self) -> None:
        """Ends what `start` started, however far it came. May be called without it."""


EMULATORS: Mapping[str, type[Emulator]] = {"ours": Ours, "sam": SamLocal, "ministack": MiniStack}
