"""Events and reservations over one set of real stores, each under its own login, messages carried by hand."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from common.contracts.event_tally import EventTallyAnswer
from common.contracts.seat_ledger import MendHoldsAnswer, MendHoldsAsked, SeatLedgerAnswer
from common.domain.clock import new_id
from common.messaging.consumer import AfterCommit, Consumer
from common.messaging.messages import (
    EVENT_EVENTS,
    RESERVATION_EVENTS,
    EventCancelled,
    EventRescheduled,
    PaymentSuccess,
    envelope,
)
from common.messaging.outbox import Outbox
from common.stores.postgres import Connection, Database
from common.stores.redis import Client
from common.waitingroom.queue_tokens import QueueTokens
from functions.events.on_reservation_event import SeatMoves
from functions.reservations.adapters.clients.events_client import offer_of
from functions.reservations.adapters.reservation_repository import ReservationStore
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.domain.reservation import Reservation, Status
from functions.reservations.usecases.apply_event_changes import EventOutcome
from functions.reservations.usecases.apply_payment_outcomes import PaymentOutcome
from functions.reservations.usecases.hold_seats import Booking, Offer
from functions.reservations.usecases.repair_holds import HoldMending
from tests.courier import Courier
from tools.simulation.events_service import Programme


class BoxOffice:
    """One event on sale, those who buy, and what the two services do about it."""

    def __init__(self, database_of: Callable[[str], Database], superuser: Database, redis: Client) -> None:
        self.programme = Programme(database_of("event_service"))
        self.event = self.programme.event()
        self.seat_ids = self.programme.seat_ids(self.event.id)
        self.database = database_of("reservation_service")
        self.store = ReservationStore(self.database, Outbox(self.clock))
        self.holds = SeatHolds(redis)
        self.booking = Booking(
            catalogue=self,
            holds=self.holds,
            reservations=self.store,
            tokens=QueueTokens(redis),
            clock=self.clock,
            new_id=new_id,
            hold_seconds=300,
            payment_token_seconds=600,
        )
        self.outcome = PaymentOutcome(self.store, self.booking, QueueTokens(redis), self.clock)
        self.mending = HoldMending(self.store, self.holds, self.clock)
        events = EventOutcome(self.store, self.clock)
        self.events_consumer = Consumer(
            "reservations", self.database, {EventCancelled: events.cancelled, EventRescheduled: events.rescheduled}
        )
        seats = Consumer("events", database_of("event_service"), SeatMoves(self.programme.cache).handlers)
        self.courier = Courier(superuser, {EVENT_EVENTS: [self.events_consumer], RESERVATION_EVENTS: [seats]})

    def clock(self) -> datetime:
        return self.programme.now

    def offer(self, event_id: UUID, seat_ids: Sequence[UUID]) -> Offer:
        answer = self.programme.seats.catalogue(event_id, seat_ids)
        return offer_of(answer)

    # What reservations answers when it is asked.

    def ledger(self, event_id: UUID, after: UUID | None) -> SeatLedgerAnswer:
        return self.mending.ledger(event_id, after)

    def mend(self, asked: MendHoldsAsked) -> MendHoldsAnswer:
        return self.mending.mend(asked.event_id, asked.release, asked.forgotten)

    def tally(self, event_id: UUID) -> EventTallyAnswer:
        return EventTallyAnswer.model_validate({"event_id": event_id, **self.store.tally(event_id)})

    # What buyers do.

    def hold(self, *seats: int) -> Reservation:
        return self.booking.hold(uuid4(), self.event.id, [self.seat_ids[seat] for seat in seats], uuid4()).reservation

    def pay(self, reservation: Reservation) -> None:
        with self.database.transaction() as connection:
            after = self.hear_of_payment(connection, reservation)
        if after:
            after()

    def hear_of_payment(self, connection: Connection, reservation: Reservation) -> AfterCommit | None:
        """What PaymentSuccess does, in the caller's transaction."""
        paid = PaymentSuccess(
            payment_id=uuid4(), reservation_id=reservation.id, payment_key="k" * 8, amount=1, paid_at=self.clock()
        )
        message = envelope(
            paid,
            message_id=uuid4(),
            at=self.clock(),
            correlation_id="t",
            causation_id=None,
            user_id=reservation.user_id,
        )
        return self.outcome.paid(connection, message, paid)

    def buy(self, *seats: int) -> Reservation:
        reservation = self.hold(*seats)
        self.pay(reservation)
        return self.now(reservation)

    def now(self, reservation: Reservation) -> Reservation:
        found = self.store.find(reservation.id, reservation.user_id)
        assert found is not None
        return found

    def statuses(self, *reservations: Reservation) -> list[Status]:
        return [self.now(each).status for each in reservations]

    def later(self, **more: float) -> None:
        self.programme.now += timedelta(**more)
