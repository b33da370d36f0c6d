"""Ticks within one invocation: EventBridge's finest rate is a minute, so work that must run more often runs through its
minute.

The next invocation begins before this one ends, so there is no gap. For a moment two invocations may tick at once; the
work itself must allow that (a Lua script, an advisory lock).
"""

import time
from collections.abc import Callable, Iterator
from typing import Any


def ticks(
    context: Any,
    every: float,
    *,
    wall: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    spare: float = 2.0,
) -> Iterator[float]:
    """The moments (epoch seconds) at which to work: whole multiples of `every` seconds, until `spare` seconds before
    the function's timeout.

    After a tick that took too long the next one is on a whole multiple again: there is no drift and no catching up. A
    tick is never early: after a short sleep, or when the clock was set back, it sleeps again.
    """
    while context.get_remaining_time_in_millis() / 1000 > spare + every:
        due = (wall() // every + 1) * every
        while (left := due - wall()) > 0:
            sleep(min(left, every))
        yield due
