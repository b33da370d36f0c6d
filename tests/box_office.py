"""Events and reservations over one set of real stores, each under its own login, messages carried by hand."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from common.contracts.event_tally import EventTallyAnswer
from common.contracts.seat_catalogue import SeatCatalogueAnswer
from common.contracts.seat_ledger import MendHoldsAnswer, MendHoldsAsked, SeatLedgerAnswer
from common.domain.ids import EventId, ReservationId, SeatId, UserId
from common.messaging.consumer import AfterCommit, Consumer
from common.messaging.messages import (
    EVENT_EVENTS,
    RESERVATION_EVENTS,
    EventCancelled,
    EventRescheduled,
    PaymentSuccess,
    envelope,
)
from common.stores.postgres import Connection, Database
from common.stores.redis import Client
from functions.reservations.adapters.clients.events_client import offer_of
from functions.reservations.domain.offer import Offer
from functions.reservations.domain.reservation import Reservation, Status
from tests.courier import Courier
from tests.reservations_service import ReservationsService
from tools.simulation.events_service import EventsService, seat_messages


class BoxOffice:
    """One event on sale, those who buy, and what the two services do about it."""

    def __init__(self, database_of: Callable[[str], Database], superuser: Database, redis: Client) -> None:
        self.events = EventsService(database_of("event_service"))
        self.event = self.events.event()
        self.event_id = EventId(self.event.id)
        self.seat_ids = [SeatId(seat) for seat in self.events.seat_ids(self.event.id)]
        self.database = database_of("reservation_service")
        self.reservations = ReservationsService(self.database, redis, self, self.clock)
        self.repository = self.reservations.repository
        self.holds = self.reservations.seat_holds
        events = self.reservations.event_changes
        self.events_consumer = Consumer(
            "reservations", self.database, {EventCancelled: events.cancelled, EventRescheduled: events.rescheduled}
        )
        seats = Consumer("events", database_of("event_service"), seat_messages(self.events.cache).handlers)
        self.courier = Courier(superuser, {EVENT_EVENTS: [self.events_consumer], RESERVATION_EVENTS: [seats]})

    def clock(self) -> datetime:
        return self.events.now

    def offer(self, event_id: UUID, seat_ids: Sequence[UUID]) -> Offer:
        offer = self.events.seats.offer(EventId(event_id), list(map(SeatId, seat_ids)))
        return offer_of(SeatCatalogueAnswer.model_validate(offer, from_attributes=True))

    # What reservations answers when it is asked.

    def ledger(self, event_id: UUID, after: UUID | None) -> SeatLedgerAnswer:
        return self.reservations.list_held_seats.page(EventId(event_id), ReservationId(after) if after else None)

    def mend(self, asked: MendHoldsAsked) -> MendHoldsAnswer:
        missing = [ReservationId(each) for each in asked.forgotten]
        return self.reservations.repair_holds.repair(EventId(asked.event_id), asked.release, missing)

    def tally(self, event_id: UUID) -> EventTallyAnswer:
        counts = self.repository.count(EventId(event_id))
        return EventTallyAnswer(
            event_id=event_id,
            pending=counts.pending,
            confirmed=counts.confirmed,
            event_cancelled=counts.event_cancelled,
            refund_amount=counts.refund_amount,
            seen_through=counts.all_cancelled,
        )

    # What buyers do.

    def hold(self, *seats: int) -> Reservation:
        chosen = [self.seat_ids[seat] for seat in seats]
        return self.reservations.hold_seats.hold(UserId(uuid4()), self.event_id, chosen, uuid4()).reservation

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
        return self.reservations.payment_outcomes.paid(connection, message, paid)

    def buy(self, *seats: int) -> Reservation:
        reservation = self.hold(*seats)
        self.pay(reservation)
        return self.now(reservation)

    def now(self, reservation: Reservation) -> Reservation:
        found = self.repository.find(reservation.id, reservation.user_id)
        assert found is not None
        return found

    def statuses(self, *reservations: Reservation) -> list[Status]:
        return [self.now(each).status for each in reservations]

    def later(self, **more: float) -> None:
        self.events.now += timedelta(**more)
