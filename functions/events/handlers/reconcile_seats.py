"""Every five minutes: do Redis's holds, the reservations and the seats agree? (EVT-030)"""

import time
from collections import Counter
from typing import Any
from uuid import UUID

from common.runtime.log import log
from common.runtime.metrics import emit
from functions.events.domain.seat_disagreements import Disagreements, reconcile
from functions.events.wiring import seat_stores


def handler(event: dict[str, Any], context: Any) -> None:
    failures: list[UUID] = []

    def failed(event_id: UUID, error: Exception) -> None:
        log.warning("not reconciled", extra={"event_id": str(event_id), "error": type(error).__name__})
        failures.append(event_id)

    found = reconcile(seat_stores(), time.sleep, failed)
    totals = Counter(Disagreements().counts())
    for event_id, disagreements in found.items():
        counts = disagreements.counts()
        log.error("stores disagree", extra={"event_id": str(event_id), **counts})
        totals.update(counts)
    emit({"service": "events"}, **dict(totals), events_not_reconciled=len(set(failures)))
