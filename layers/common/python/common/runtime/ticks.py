"""A minute of work in ticks: EventBridge's finest rate is a minute, so what must run oftener runs through its minute.

The next invocation begins before this one ends, so there is no gap; that two may tick at once for a moment is for the
work itself to bear (a Lua script, an advisory lock).
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
    """The moments (epoch seconds) at which to work, on whole multiples of `every` seconds, until `spare` seconds
    before the function's timeout.

    A tick that overran is not made up for: the next one falls on the clock again, so there is no drift. Never early:
    a sleep cut short, or a clock set back meanwhile, is slept on.
    """
    while context.get_remaining_time_in_millis() / 1000 > spare + every:
        due = (wall() // every + 1) * every
        while (left := due - wall()) > 0:
            sleep(min(left, every))
        yield due
