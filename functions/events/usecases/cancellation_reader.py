"""Reads how far the refunds of a cancelled event have come (EVT-028)."""

from typing import Protocol

from common.contracts.refund_counts import RefundCountsResponse
from common.domain.ids import EventId
from functions.events.adapters.event_repository import EventRepository
from functions.events.domain.cancellation import CancellationProgress, cancellation_progress
from functions.events.usecases.event_deletion import Reservations


class Payments(Protocol):
    """`PaymentsClient`, or a fake in tests."""

    def refunds(self, event_id: EventId) -> RefundCountsResponse: ...


class CancellationReader:
    def __init__(self, events: EventRepository, reservations: Reservations, payments: Payments) -> None:
        self._events = events
        self._reservations = reservations
        self._payments = payments

    def progress(self, event_id: EventId) -> CancellationProgress:
        """Raises NotFound for an event that is not cancelled."""
        cancellation = self._events.cancellation(event_id)
        counts = self._reservations.counts(event_id)
        return cancellation_progress(event_id, cancellation, counts, self._payments.refunds(event_id))
