"""A minute in ticks: on the second, without drift, and over before the function is stopped."""

import random
import re
from collections import Counter
from pathlib import Path

from common.runtime.ticks import ticks
from functions.admitter.usecases.admission_run import SPARE_SECONDS, TICK_SECONDS

TEMPLATE = (Path(__file__).parents[2] / "template.yaml").read_text(encoding="utf-8")
ADMITTER_TIMEOUT = int(re.search(r"admit_users\.handler.*?Timeout: (\d+)", TEMPLATE, re.DOTALL)[1])  # type: ignore[index]


class Minute:
    """A Lambda context and a clock that only sleeping moves."""

    def __init__(self, seconds: float, starts_at: float = 1000.3) -> None:
        self.now = starts_at
        self.ends = starts_at + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self.ends - self.now) * 1000)

    def wall(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def run(minute: Minute, work: float = 0.0) -> list[float]:
    at = []
    for _ in ticks(minute, 1.0, wall=minute.wall, sleep=minute.sleep):
        at.append(minute.now)
        minute.now += work
    return at


def test_ticks_fall_on_whole_seconds() -> None:
    assert run(Minute(10)) == [1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008]


def test_work_does_not_make_them_drift() -> None:
    assert run(Minute(10), work=0.4) == [1001, 1002, 1003, 1004, 1005, 1006, 1007]


def test_a_tick_that_overran_is_not_made_up_for() -> None:
    assert run(Minute(10), work=1.5) == [1001, 1003, 1005, 1007]


def test_two_minutes_that_overlap_leave_no_second_out() -> None:
    first, second = run(Minute(64)), run(Minute(64, starts_at=1060.3))
    assert first[-1] + 1 >= second[0]


def test_a_sleep_cut_short_is_slept_on() -> None:
    minute = Minute(10)

    def restless(seconds: float) -> None:
        minute.now += seconds * 0.6 + 1e-6

    early = [minute.now - due for due in ticks(minute, 1.0, wall=minute.wall, sleep=restless)]
    assert all(0 <= each < 0.001 for each in early)


def test_an_hour_of_minutes_called_late_ticks_on_every_half_second_within_fifty_ms() -> None:
    """Sixty invocations, each called at any second of its minute, over a busy hour of uneven work and late wake-ups."""
    chance = random.Random(7)
    lateness: list[float] = []
    ticked: Counter[int] = Counter()
    for start in range(0, 3600, 60):
        minute = Minute(ADMITTER_TIMEOUT, starts_at=1_795_330_800 + start + chance.uniform(0, 59.9) + 1.5)

        def sleep(seconds: float, minute: Minute = minute) -> None:
            minute.now += seconds + chance.uniform(0, 0.02)  # the system wakes nobody to the millisecond

        for due in ticks(minute, TICK_SECONDS, wall=minute.wall, sleep=sleep, spare=SPARE_SECONDS):
            lateness.append(minute.now - due)
            ticked[int(due * 2)] += 1
            minute.now += chance.expovariate(1 / 0.03)
    assert max(lateness) < 0.05
    assert abs(sum(lateness[-100:]) - sum(lateness[:100])) / 100 < 0.01, "the hour's end is no later than its beginning"
    first, last = min(ticked), max(ticked)
    assert last - first > 3500 * 2
    assert [half for half in range(first, last) if not ticked[half]] == [], "no half second is left out"
    assert max(ticked.values()) <= 3
