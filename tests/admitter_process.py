"""An admitter in a process of its own, to be killed: it ticks for ever as the function does, by a clock that is off."""

import time
from uuid import UUID

from common.runtime.ticks import ticks
from common.stores.redis import connect
from functions.admitter.adapters.admission_redis import Admission, Policy
from functions.admitter.handlers.admit_users import TICK_SECONDS


class Endless:
    def get_remaining_time_in_millis(self) -> int:
        return 1_000_000


def admit_for_ever(url: str, cluster: bool, skew_seconds: float, event_id: UUID) -> None:
    admission = Admission(connect(url, cluster=cluster), Policy())
    for _ in ticks(Endless(), TICK_SECONDS, wall=lambda: time.time() + skew_seconds):
        admission.tick([event_id])
