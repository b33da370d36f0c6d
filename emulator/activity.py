"""When the stack was last used from outside, so that pollers can slow down while the stack is idle."""

import threading
import time

TRIGGER_USER_AGENT = (
    "emulator-triggers"  # the User-Agent of schedules and event sources, whose calls do not count as activity
)


class Activity:
    """The gateway and the Invoke API note it on the event loop; threads that poll wait for it."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._noted = threading.Event()

    def note(self) -> None:
        """Records that the stack is used now."""
        self._last = time.monotonic()
        self._noted.set()

    def within(self, seconds: float) -> bool:
        """Whether the stack was used in the last `seconds`."""
        return time.monotonic() - self._last < seconds

    def wait(self, seconds: float) -> None:
        """Returns when the stack is used, or after `seconds`."""
        self._noted.clear()
        self._noted.wait(seconds)
