"""Ticks of a minute: on whole seconds, without drift, and finished before the function's timeout."""

import random
import re
from collections import Counter
from pathlib import Path

from common.runtime.ticks import ticks
from functions.admitter.usecases.admission_run import SPARE_SECONDS, TICK_SECONDS

TEMPLATE = (Path(__file__).parents[2] / "template.yaml").read_text(encoding="utf-8")
ADMITTER_TIMEOUT = int(re.search(r"admit_users\.handler.*?Timeout: (\d+)", TEMPLATE, re.DOTALL)[1])  # type: ignore[index]


class Minute:
    """A Lambda context and a clock that only `sleep` advances."""

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


def test_work_does_not_make_ticks_drift() -> None:
    assert run(Minute(10), work=0.4) == [1001, 1002, 1003, 1004, 1005, 1006, 1007]


def test_ticks_missed_by_an_overrun_are_skipped() -> None:
    assert run(Minute(10), work=1.5) == [1001, 1003, 1005, 1007]


def test_two_overlapping_invocations_cover_every_second() -> None:
    first, second = run(Minute(64)), run(Minute(64, starts_at=1060.3))
    assert first[-1] + 1 >= second[0]


def test_a_sleep_that_ends_early_is_continued() -> None:
    minute = Minute(10)

    def wake_early(seconds: float) -> None:
        minute.now += seconds * 0.6 + 1e-6

    early = [minute.now - due for due in ticks(minute, 1.0, wall=minute.wall, sleep=wake_early)]
    assert all(0 <= each < 0.001 for each in early)


def test_late_invocations_tick_on_every_half_second_of_an_hour_within_fifty_ms() -> None:
    """Sixty invocations, each started at a random second of its minute, with random work and late wake-ups."""
    chance = random.Random(7)
    lateness: list[float] = []
    ticked: Counter[int] = Counter()
    for start in range(0, 3600, 60):
        minute = Minute(ADMITTER_TIMEOUT, starts_at=1_795_330_800 + start + chance.uniform(0, 59.9) + 1.5)

        def sleep(seconds: float, minute: Minute = minute) -> None:
            minute.now += seconds + chance.uniform(0, 0.02)  # no system wakes a process on the exact millisecond

        for due in ticks(minute, TICK_SECONDS, wall=minute.wall, sleep=sleep, spare=SPARE_SECONDS):
            lateness.append(minute.now - due)
            ticked[int(due * 2)] += 1
            minute.now += chance.expovariate(1 / 0.03)
    assert max(lateness) < 0.05
    assert abs(sum(lateness[-100:]) - sum(lateness[:100])) / 100 < 0.01, "the lateness does not grow over the hour"
    first, last = min(ticked), max(ticked)
    assert last - first > 3500 * 2
    assert [half for half in range(first, last) if not ticked[half]] == [], "no half second is left out"
    assert max(ticked.values()) <= 3
