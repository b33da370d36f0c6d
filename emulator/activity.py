"""When the stack was last used from outside, so that what polls can rest while the stack is idle."""

import threading
import time

TRIGGERS = "emulator-triggers"  # the User-Agent of schedules and event sources, whose calls are no activity


class Activity:
    """Noted by the front doors, on the event loop; waited for by threads that poll."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._noted = threading.Event()

    def note(self) -> None:
        """Somebody uses the stack now."""
        self._last = time.monotonic()
        self._noted.set()

    def within(self, seconds: float) -> bool:
        """Whether somebody has used it in the last so many seconds."""
        return time.monotonic() - self._last < seconds

    def wait(self, seconds: float) -> None:
        """Returns when somebody uses it, or after so many seconds."""
        self._noted.clear()
        self._noted.wait(seconds)
