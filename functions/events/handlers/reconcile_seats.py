"""Every five minutes: compares Redis's holds, the reservations and the seats, and repairs them (EVT-030)."""

import time
from collections import Counter
from typing import Any

from common.domain.ids import EventId
from common.runtime.log import log
from common.runtime.metrics import emit
from functions.events.domain.seat_disagreements import Disagreements
from functions.events.usecases.seat_reconciliation import reconcile
from functions.events.wiring import seat_sales


def handler(event: dict[str, Any], context: Any) -> None:
    failures: list[EventId] = []

    def failed(event_id: EventId, error: Exception) -> None:
        log.warning("not reconciled", extra={"event_id": str(event_id), "error": type(error).__name__})
        failures.append(event_id)

    found = reconcile(seat_sales.seat_records(), time.sleep, failed)
    totals = Counter(Disagreements().counts())
    for event_id, disagreements in found.items():
        counts = disagreements.counts()
        log.error("stores disagree", extra={"event_id": str(event_id), **counts})
        totals.update(counts)
    emit({"service": "events"}, **dict(totals), events_not_reconciled=len(set(failures)))
