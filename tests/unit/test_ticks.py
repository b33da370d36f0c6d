"""A minute in ticks: on the second, without drift, and over before the function is stopped."""

from common.ticks import ticks


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
