"""What happens to reservations when their event is cancelled or rescheduled (EVT-028, EVT-029).

Both methods run in the consumer's transaction.
"""

from common.domain.clock import Clock
from common.domain.ids import EventId
from common.messaging.messages import Envelope, EventCancelled, EventRescheduled
from common.stores.postgres import Connection
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.domain.reservation import UNPAID_CANCEL_REASONS


class ApplyEventChanges:
    def __init__(self, reservations: ReservationRepository, clock: Clock) -> None:
        self._reservations = reservations
        self._clock = clock

    def cancelled(self, connection: Connection, _message: Envelope, event: EventCancelled) -> None:
        """From now on no reservation of it is confirmed; `cancel_event_reservations` cancels them in batches."""
        self._reservations.add_cancelled_event(connection, EventId(event.event_id), self._clock())

    def rescheduled(self, connection: Connection, _message: Envelope, event: EventRescheduled) -> None:
        """Its reservations have the new time, and cancelling them is free."""
        self._reservations.reschedule(
            connection, EventId(event.event_id), event.starts_at, self._clock(), revivable=UNPAID_CANCEL_REASONS
        )
