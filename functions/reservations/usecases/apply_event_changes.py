"""What becomes of reservations when their event is cancelled or moved, inside the consumer's transaction (EVT-028,
EVT-029)."""

from common.domain.clock import Clock
from common.messaging.messages import Envelope, EventCancelled, EventRescheduled
from common.stores.postgres import Connection
from functions.reservations.adapters.reservation_repository import ReservationStore


class EventOutcome:
    def __init__(self, store: ReservationStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def cancelled(self, connection: Connection, _message: Envelope, event: EventCancelled) -> None:
        """Only noted here, at once and for good: `expire` ends the reservations, a batch at a time."""
        self._store.event_cancelled(connection, event.event_id, self._clock())

    def rescheduled(self, connection: Connection, _message: Envelope, event: EventRescheduled) -> None:
        self._store.event_rescheduled(connection, event.event_id, event.starts_at, self._clock())
