"""The use cases of reservations over real stores, with the clock and the offers of a test."""

from common.domain.clock import Clock, new_id
from common.messaging.outbox import Outbox
from common.stores.postgres import Database
from common.stores.redis import Client
from common.waitingroom.queue_tokens import QueueTokens
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.domain.offer import Offers
from functions.reservations.usecases.apply_event_changes import ApplyEventChanges
from functions.reservations.usecases.apply_payment_outcomes import ApplyPaymentOutcomes
from functions.reservations.usecases.cancel_event_reservations import CancelEventReservations
from functions.reservations.usecases.cancel_reservation import CancelReservation
from functions.reservations.usecases.change_seats import ChangeSeats
from functions.reservations.usecases.check_payable import CheckPayable
from functions.reservations.usecases.expire_holds import ExpireHolds
from functions.reservations.usecases.free_seats import FreeSeats
from functions.reservations.usecases.hold_seats import HoldSeats
from functions.reservations.usecases.list_held_seats import ListHeldSeats
from functions.reservations.usecases.payable_hold import PaymentTokenIssuer
from functions.reservations.usecases.release_seats import ReleaseSeats
from functions.reservations.usecases.repair_holds import RepairHolds


class ReservationsService:
    def __init__(
        self, database: Database, redis: Client, offers: Offers, clock: Clock, seat_holds: SeatHolds | None = None
    ) -> None:
        self.database = database
        self.tokens = tokens = QueueTokens(redis)
        self.seat_holds = seat_holds = seat_holds or SeatHolds(redis)
        self.repository = repository = ReservationRepository(database, Outbox(clock))
        payment_tokens, free_seats = PaymentTokenIssuer(tokens, 600), FreeSeats(seat_holds, tokens)
        self.hold_seats = HoldSeats(
            database=database,
            reservations=repository,
            seat_holds=seat_holds,
            offers=offers,
            payment_tokens=payment_tokens,
            clock=clock,
            new_id=new_id,
            hold_seconds=300,
        )
        self.change_seats = ChangeSeats(
            database=database,
            reservations=repository,
            seat_holds=seat_holds,
            offers=offers,
            payment_tokens=payment_tokens,
            clock=clock,
        )
        self.release_seats = ReleaseSeats(database, repository, free_seats, clock)
        self.cancel_reservation = CancelReservation(database, repository, free_seats, clock)
        self.check_payable = CheckPayable(database, repository, clock)
        self.expire_holds = ExpireHolds(database, repository, free_seats, clock)
        self.cancel_event_reservations = CancelEventReservations(database, repository, free_seats, clock)
        self.payment_outcomes = ApplyPaymentOutcomes(repository, free_seats, tokens, clock)
        self.event_changes = ApplyEventChanges(repository, clock)
        self.list_held_seats = ListHeldSeats(repository, seat_holds, clock)
        self.repair_holds = RepairHolds(repository, seat_holds, clock)
