"""An admitter in its own process, for tests that kill it: it ticks as the function does, on a skewed clock."""

import time

from common.domain.ids import EventId
from common.runtime.ticks import ticks
from common.stores.redis import connect
from functions.admitter.adapters.admission_redis import AdmissionRedis
from functions.admitter.domain.admission import AdmissionPolicy
from functions.admitter.usecases.admission_run import TICK_SECONDS


class Endless:
    def get_remaining_time_in_millis(self) -> int:
        return 1_000_000


def admit_without_end(url: str, cluster: bool, skew_seconds: float, event_id: EventId) -> None:
    admission = AdmissionRedis(connect(url, cluster=cluster), AdmissionPolicy())
    for _ in ticks(Endless(), TICK_SECONDS, wall=lambda: time.time() + skew_seconds):
        admission.tick([event_id])
