"""Holds and reservations on a real Postgres and Redis: no seat twice, one winner, all seats or none."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from common.domain.ids import EventId, PaymentId, ReservationId, SeatId, UserId
from common.domain.limits import MaxSeatsPer
from common.domain.model import rfc3339
from common.domain.shared_errors import DomainError, StoreUnavailable
from common.messaging.messages import Envelope, Payload, PaymentFailed, PaymentSuccess, envelope
from common.stores.postgres import Database
from common.stores.redis import Client, connect
from common.waitingroom.queue_tokens import PAYMENT, RESERVATION, new_secret, token_key, token_prefix
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.domain.cancellation import cancel_unpaid, cancellation_terms
from functions.reservations.domain.errors import HoldExists, TooManySeats
from functions.reservations.domain.reservation import CancelReason, Reservation, Seat, Status
from functions.reservations.domain.sale_offer import SaleOffer
from functions.reservations.usecases.payable_hold import PayableHold
from functions.reservations.usecases.read_reservation import OwnReservation
from tests.support.concurrently import concurrently
from tests.support.fixtures.reservations_service import HOLDS_PER_ADMISSION, ReservationsService

NOW = datetime(2026, 5, 1, 11, 0, tzinfo=UTC)
EVENT = EventId(uuid4())
SEATS = tuple(Seat(SeatId(uuid4()), f"A-1-{n}", "VIP", 150_000) for n in range(1, 9))


class FakeOffers:
    """An event of eight seats; `sold` are those the events service knows to be sold."""

    def __init__(
        self,
        sold: Sequence[SeatId] = (),
        sale_ends: timedelta = timedelta(days=1),
        max_seats_per: MaxSeatsPer = "PERSON",
    ) -> None:
        self.sold = frozenset(sold)
        self.max_seats_per: MaxSeatsPer = max_seats_per
        self.sale_ends = sale_ends

    def offer(self, event_id: EventId, seat_ids: Sequence[SeatId]) -> SaleOffer:
        seats = tuple(seat for seat in SEATS if seat.id in seat_ids)
        return SaleOffer(
            "Tour",
            NOW + timedelta(days=30),
            NOW + self.sale_ends,
            False,
            4,
            seats,
            self.sold,
            max_seats_per=self.max_seats_per,
        )


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class ReservationsWithClock(ReservationsService):
    """The service on its own connections, with a clock that the test moves and shortcuts to its use cases."""

    def __init__(
        self, database: Database, redis: Client, offers: FakeOffers | None = None, seat_holds: SeatHolds | None = None
    ) -> None:
        self.clock = Clock()
        super().__init__(database, redis, offers or FakeOffers(), self.clock, seat_holds)
        self.change, self.release = self.change_seats.change, self.release_seats.release
        self.cancel, self.expire = self.cancel_reservation.cancel, self.expire_holds.expire

    def payable(
        self, user: UserId, reservation: ReservationId, extension: timedelta, payment: PaymentId | None = None
    ) -> Reservation:
        return self.check_payable.check(user, reservation, payment, extension)

    def hold(self, *seats: Seat, user: UserId | None = None, admission: UUID | None = None) -> PayableHold:
        return self.hold_seats.hold(user or UserId(uuid4()), EVENT, [seat.id for seat in seats], admission or uuid4())

    def paid(self, reservation: Reservation, amount: int | None = None) -> None:
        message = PaymentSuccess(
            payment_id=PaymentId(uuid4()),
            reservation_id=reservation.id,
            payment_key="k" * 8,
            amount=reservation.total_amount if amount is None else amount,
            paid_at=self.clock(),
        )
        self._consume(self.payment_outcomes.paid, message, reservation.user_id)

    def failed(self, reservation: Reservation, payment: PaymentId | None = None) -> None:
        message = PaymentFailed(
            payment_id=payment or PaymentId(uuid4()),
            reservation_id=reservation.id,
            payment_key="k" * 8,
            amount=1,
            failure_reason="declined",
            failed_at=self.clock(),
        )
        self._consume(self.payment_outcomes.failed, message, reservation.user_id)

    def _consume(self, handle: Callable[..., Callable[[], None] | None], message: Payload, user: UUID) -> None:
        wrapped = envelope(
            message,
            message_id=uuid4(),
            at=NOW,
            correlation_id="t",
            causation_id=None,
            user_id=UserId(user),
        )
        with self.database.transaction() as connection:
            after = handle(connection, wrapped, message)
        if after:
            after()


NewServices = Callable[[int], list[ReservationsWithClock]]


@pytest.fixture
def new_services(database_of: Callable[[str], Database], redis: Client, redis_url: str) -> NewServices:
    def make(count: int) -> list[ReservationsWithClock]:
        return [
            ReservationsWithClock(database_of("reservation_service"), connect(redis_url, cluster=False))
            for _ in range(count)
        ]

    return make


@pytest.fixture
def service(new_services: NewServices) -> ReservationsWithClock:
    return new_services(1)[0]


def live_seats(superuser: Database) -> list[UUID]:
    return [
        row["seat_id"]
        for row in superuser.rows(
            "SELECT seat_id FROM reservation_service.reservation_seats WHERE live ORDER BY seat_id"
        )
    ]


def messages(superuser: Database) -> list[str]:
    return [row["event_type"] for row in superuser.rows("SELECT event_type FROM common.outbox_events ORDER BY id")]


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(DomainError) as raised:
        call()
    return raised.value.code


def test_one_of_thirty_concurrent_buyers_gets_a_seat(new_services: NewServices, superuser: Database) -> None:
    outcomes = concurrently([partial(each.hold, SEATS[0]) for each in new_services(30)])
    assert len([each for each in outcomes if isinstance(each, PayableHold)]) == 1
    assert {str(each) for each in outcomes if isinstance(each, Exception)} == {"SEAT_TAKEN"}
    assert live_seats(superuser) == [SEATS[0].id]


def test_a_seat_is_sold_once_even_if_redis_forgets_every_hold(
    new_services: NewServices, redis: Client, superuser: Database
) -> None:
    class ForgetfulHolds(SeatHolds):
        def take(self, *args: object, **kwargs: object) -> list[SeatId]:
            return []

    buyers = [
        ReservationsWithClock(each.database, redis, seat_holds=ForgetfulHolds(redis)) for each in new_services(20)
    ]
    # Overlapping pairs, requested in opposite orders: they must neither share a seat nor deadlock.
    pairs = [(SEATS[n % 4], SEATS[(n + 1) % 4]) for n in range(20)]
    calls = [
        partial(each.hold, *(pair if n % 2 else pair[::-1]))
        for n, (each, pair) in enumerate(zip(buyers, pairs, strict=True))
    ]
    outcomes = concurrently(calls)
    held = [each for each in outcomes if isinstance(each, PayableHold)]
    assert {str(each) for each in outcomes if isinstance(each, Exception)} <= {"SEAT_TAKEN"}
    seats = [seat.id for each in held for seat in each.reservation.seats]
    assert sorted(seats) == live_seats(superuser)
    assert len(seats) == len(set(seats))
    assert held


def test_a_hold_takes_all_its_seats_or_none(service: ReservationsWithClock, superuser: Database) -> None:
    service.hold(SEATS[1])
    assert code_of(lambda: service.hold(SEATS[0], SEATS[1], SEATS[2])) == "SEAT_TAKEN"
    service.hold(SEATS[0], SEATS[2])
    assert set(live_seats(superuser)) == {SEATS[0].id, SEATS[1].id, SEATS[2].id}


def test_the_error_names_the_seats_that_are_taken(service: ReservationsWithClock) -> None:
    service.hold(SEATS[1])
    with pytest.raises(DomainError) as raised:
        service.hold(SEATS[0], SEATS[1])
    assert raised.value.details == {"seatIds": [str(SEATS[1].id)]}


def test_a_user_has_one_live_hold_for_each_event_however_many_requests_come(
    new_services: NewServices, superuser: Database
) -> None:
    user = UserId(uuid4())
    outcomes = concurrently([partial(each.hold, SEATS[n], user=user) for n, each in enumerate(new_services(8))])
    assert len([each for each in outcomes if isinstance(each, PayableHold)]) == 1
    assert {str(each) for each in outcomes if isinstance(each, Exception)} == {"HOLD_EXISTS"}
    assert len(live_seats(superuser)) == 1


def test_seats_of_a_rejected_second_hold_stay_free_for_others(service: ReservationsWithClock) -> None:
    user = UserId(uuid4())
    service.hold(SEATS[0], user=user)
    assert code_of(lambda: service.hold(SEATS[1], user=user)) == "HOLD_EXISTS"
    assert service.hold(SEATS[1])


@pytest.mark.parametrize(
    ("seats", "offers", "code"),
    [
        ((SEATS[0], SEATS[0]), FakeOffers(), "VALIDATION_ERROR"),
        (SEATS[:5], FakeOffers(), "TOO_MANY_SEATS"),
        ((Seat(SeatId(uuid4()), "Z-9-9", "VIP", 1),), FakeOffers(), "SEAT_NOT_FOUND"),
        ((SEATS[0],), FakeOffers(sold=[SEATS[0].id]), "SEAT_TAKEN"),
        ((SEATS[0],), FakeOffers(sale_ends=timedelta(0)), "SALE_CLOSED"),
    ],
)
def test_a_hold_that_breaks_a_rule_is_rejected_with_its_code(
    database_of: Callable[[str], Database], redis: Client, seats: tuple[Seat, ...], offers: FakeOffers, code: str
) -> None:
    service = ReservationsWithClock(database_of("reservation_service"), redis, offers)
    assert code_of(lambda: service.hold(*seats)) == code


def test_seats_of_an_expired_hold_can_be_held_even_before_it_is_cancelled(
    service: ReservationsWithClock, superuser: Database, redis: Client
) -> None:
    late = service.hold(SEATS[0])
    service.clock.now += timedelta(seconds=301)
    redis.flushall()  # as if the keys had expired
    taken = service.hold(SEATS[0])
    found = service.repository.find(late.reservation.id, late.reservation.user_id)
    assert found is not None
    assert (found.status, found.cancel_reason) == (Status.CANCELLED, CancelReason.HOLD_TIMEOUT)
    assert live_seats(superuser) == [SEATS[0].id]
    assert taken.reservation.id != late.reservation.id
    assert messages(superuser) == ["ReservationCancelled"]


def test_the_first_rejected_hold_restores_holds_that_redis_lost(service: ReservationsWithClock, redis: Client) -> None:
    held = service.hold(SEATS[0], SEATS[1]).reservation
    redis.flushall()
    assert service.seat_holds.held(EVENT, NOW) == set()
    assert code_of(lambda: service.hold(SEATS[0], SEATS[2])) == "SEAT_TAKEN"
    assert service.seat_holds.held(EVENT, NOW) == set(held.seat_ids)
    service.release(held.user_id, held.id)
    assert service.hold(SEATS[0], SEATS[1])


def test_a_late_release_leaves_the_hold_of_another_reservation(redis: Client) -> None:
    holds, seat, life = SeatHolds(redis), SEATS[0].id, timedelta(minutes=5)
    holder, late = ReservationId(uuid4()), ReservationId(uuid4())
    assert holds.take(EVENT, holder, [seat], life, NOW) == []
    holds.release(EVENT, late, [seat])
    assert holds.take(EVENT, late, [seat], life, NOW) == [seat]
    assert holds.held(EVENT, NOW) == {seat}


def test_expiry_frees_seats_in_both_stores_and_publishes_once(new_services: NewServices, superuser: Database) -> None:
    sweepers = new_services(4)
    held = sweepers[0].hold(SEATS[0], SEATS[1])
    for each in sweepers:
        each.clock.now += timedelta(seconds=300)
    assert sum(each for each in concurrently([each.expire for each in sweepers]) if isinstance(each, int)) == 1
    assert live_seats(superuser) == []
    assert sweepers[0].seat_holds.held(EVENT, NOW) == set()
    assert messages(superuser) == ["ReservationCancelled"]
    assert code_of(lambda: sweepers[0].payable(held.reservation.user_id, held.reservation.id, timedelta())) == (
        "HOLD_EXPIRED"
    )


def test_of_concurrent_release_expiry_and_payment_one_takes_effect(
    new_services: NewServices, superuser: Database
) -> None:
    for _ in range(15):
        releaser, sweeper, payer = new_services(3)
        reservation = releaser.hold(SEATS[0]).reservation
        sweeper.clock.now += timedelta(seconds=300)
        concurrently(
            [
                lambda service=releaser, r=reservation: service.release(r.user_id, r.id),  # type: ignore[misc]
                sweeper.expire,
                lambda service=payer, r=reservation: service.paid(r),  # type: ignore[misc]
            ]
        )
        found = payer.repository.find(reservation.id, reservation.user_id)
        assert found is not None
        published = messages(superuser)
        if found.status is Status.CONFIRMED:
            assert published[-1] == "ReservationConfirmed"
            assert live_seats(superuser) == [SEATS[0].id]
        else:
            # The user cancelled before the payment arrived: a second message has the refund.
            assert found.cancel_reason is CancelReason.USER_REQUEST
            assert published == ["ReservationCancelled", "ReservationCancelled"]
            assert live_seats(superuser) == []
        with superuser.transaction() as connection:
            connection.execute(
                "TRUNCATE common.outbox_events, reservation_service.reservations, reservation_service.reservation_seats"
            )
        releaser.seat_holds.release(EVENT, reservation.id, reservation.seat_ids)


def test_a_payment_confirms_once_and_ends_both_tokens(
    service: ReservationsWithClock, superuser: Database, redis: Client
) -> None:
    held = service.hold(SEATS[0], SEATS[1])
    user = held.reservation.user_id
    reservation_token = token_prefix(RESERVATION, EVENT, user) + new_secret()
    redis.set(token_key(RESERVATION, EVENT, user), reservation_token)
    service.tokens.check_reservation(reservation_token, user, EVENT)
    service.paid(held.reservation)
    service.paid(held.reservation)
    found = service.repository.find(held.reservation.id, held.reservation.user_id)
    assert found is not None
    assert found.status is Status.CONFIRMED
    assert found.ticket_number is not None
    assert len(found.ticket_number) == 12
    assert messages(superuser) == ["ReservationConfirmed"]
    checks = (
        partial(service.tokens.check_payment, held.payment_token, held.reservation.id),
        partial(service.tokens.check_reservation, reservation_token, user, EVENT),
    )
    assert [code_of(check) for check in checks] == ["QUEUE_TOKEN_INVALID"] * 2


def test_a_failed_payment_cancels_and_frees_the_seats_for_the_next_buyer(
    service: ReservationsWithClock, superuser: Database
) -> None:
    held = service.hold(SEATS[0])
    service.failed(held.reservation)
    service.failed(held.reservation)
    found = service.repository.find(held.reservation.id, held.reservation.user_id)
    assert found is not None
    assert found.cancel_reason is CancelReason.PAYMENT_FAILED
    assert messages(superuser) == ["ReservationCancelled"]
    assert service.hold(SEATS[0])


def test_a_payment_for_an_expired_hold_confirms_it_if_its_seats_are_free(
    service: ReservationsWithClock, superuser: Database
) -> None:
    held = service.hold(SEATS[0])
    service.clock.now += timedelta(seconds=300)
    service.expire()
    service.paid(held.reservation)
    found = service.repository.find(held.reservation.id, held.reservation.user_id)
    assert found is not None
    assert (found.status, found.cancel_reason) == (Status.CONFIRMED, None)
    assert live_seats(superuser) == [SEATS[0].id]


@pytest.mark.parametrize("give_up", ["release", "cancel"])
def test_a_payment_for_an_expired_hold_is_refunded_if_the_buyer_gave_it_up(
    service: ReservationsWithClock, superuser: Database, give_up: str
) -> None:
    late = service.hold(SEATS[0]).reservation
    service.clock.now += timedelta(seconds=400)
    service.expire()
    getattr(service, give_up)(late.user_id, late.id)
    service.paid(late)
    found = service.repository.find(late.id, late.user_id)
    assert found is not None
    assert (found.status, found.cancel_reason) == (Status.CANCELLED, CancelReason.USER_REQUEST)
    assert found.refund_amount == late.total_amount
    assert messages(superuser) == ["ReservationCancelled", "ReservationCancelled"]


def test_a_payment_for_seats_that_are_taken_is_refunded_in_full(
    service: ReservationsWithClock, superuser: Database
) -> None:
    late = service.hold(SEATS[0], SEATS[1]).reservation
    service.clock.now += timedelta(seconds=300)
    service.expire()
    service.hold(SEATS[1])
    service.paid(late)
    found = service.repository.find(late.id, late.user_id)
    assert found is not None
    assert found.status is Status.CANCELLED
    assert live_seats(superuser) == [SEATS[1].id]
    last = superuser.row("SELECT payload FROM common.outbox_events ORDER BY id DESC LIMIT 1")
    assert last is not None
    assert Envelope.model_validate_json(last["payload"]).payload["refundAmount"] == 300_000


def test_a_hold_is_extended_while_its_payment_is_confirmed(service: ReservationsWithClock) -> None:
    held = service.hold(SEATS[0]).reservation
    service.clock.now += timedelta(seconds=299)
    service.payable(held.user_id, held.id, timedelta(seconds=30))
    service.clock.now += timedelta(seconds=20)
    assert service.expire() == 0
    service.clock.now += timedelta(seconds=11)
    assert service.expire() == 1


def test_creating_a_payment_extends_no_hold(service: ReservationsWithClock) -> None:
    held = service.hold(SEATS[0]).reservation
    service.payable(held.user_id, held.id, timedelta())
    assert find(service, held).hold_expires_at == held.hold_expires_at


def test_repeated_payments_do_not_extend_a_hold_without_end(service: ReservationsWithClock) -> None:
    held = service.hold(SEATS[0]).reservation
    for _ in range(32):
        service.clock.now += timedelta(seconds=10)
        service.payable(held.user_id, held.id, timedelta(seconds=30))
    service.clock.now += timedelta(seconds=10)
    assert code_of(lambda: service.payable(held.user_id, held.id, timedelta(seconds=30))) == "HOLD_EXPIRED"
    assert SEATS[0].id in service.seat_holds.held(EVENT, service.clock() - timedelta(seconds=1)), (
        "the seat map does not show an extended hold"
    )


def test_a_user_cannot_release_or_pay_for_a_reservation_of_another_user(service: ReservationsWithClock) -> None:
    held = service.hold(SEATS[0]).reservation
    assert code_of(lambda: service.release(UserId(uuid4()), held.id)) == "NOT_FOUND"
    assert code_of(lambda: service.payable(UserId(uuid4()), held.id, timedelta())) == "NOT_FOUND"
    assert service.repository.find(held.id, UserId(uuid4())) is None


def test_a_reservation_token_is_valid_only_for_its_user_and_event(
    service: ReservationsWithClock, redis: Client
) -> None:
    user = UserId(uuid4())
    token = token_prefix(RESERVATION, EVENT, user) + new_secret()
    redis.set(token_key(RESERVATION, EVENT, user), token)
    assert service.tokens.check_reservation(token, user, EVENT)
    assert code_of(lambda: service.tokens.check_reservation(token, user, EventId(uuid4()))) == "QUEUE_TOKEN_MISMATCH"
    assert code_of(lambda: service.tokens.check_reservation(token, UserId(uuid4()), EVENT)) == "QUEUE_TOKEN_MISMATCH"


def test_a_message_exists_if_and_only_if_its_change_committed(
    service: ReservationsWithClock, superuser: Database
) -> None:
    held = service.hold(SEATS[0]).reservation

    def crash_before_commit() -> None:
        with service.database.transaction() as connection:
            found = service.repository.lock(connection, held.id)
            assert found is not None
            service.repository.cancel(connection, found, cancel_unpaid(CancelReason.USER_REQUEST, NOW))
            raise psycopg.errors.AdminShutdown

    with pytest.raises(StoreUnavailable):
        crash_before_commit()
    assert messages(superuser) == []
    assert live_seats(superuser) == [SEATS[0].id]


def test_the_list_is_the_users_own_newest_first(service: ReservationsWithClock) -> None:
    user = UserId(uuid4())
    first = service.hold(SEATS[0], user=user).reservation
    service.release(user, first.id)
    service.clock.now += timedelta(seconds=1)
    second = service.hold(SEATS[1], user=user).reservation
    service.hold(SEATS[2])
    found, total = service.repository.of_user(user, None, 1, 0)
    assert ([each.id for each in found], total) == ([second.id], 2)
    assert service.repository.of_user(user, Status.CANCELLED, 20, 0)[0][0].id == first.id
    assert service.repository.of_user(UserId(uuid4()), None, 20, 0) == ([], 0)
    assert service.repository.of_user(user, None, 20, 40) == ([], 2)


def find(service: ReservationsWithClock, reservation: Reservation) -> Reservation:
    found = service.repository.find(reservation.id, reservation.user_id)
    assert found is not None
    return found


def test_a_change_takes_all_its_seats_or_none_and_keeps_the_expiry(
    service: ReservationsWithClock, superuser: Database
) -> None:
    held = service.hold(SEATS[0], SEATS[1])
    service.hold(SEATS[3])
    service.clock.now += timedelta(seconds=100)
    assert code_of(lambda: service.change(held.reservation, [SEATS[2].id, SEATS[3].id])) == "SEAT_TAKEN"
    assert {SEATS[0].id, SEATS[1].id} < set(live_seats(superuser))
    assert SEATS[2].id not in service.seat_holds.held(EVENT, service.clock())

    changed = service.change(held.reservation, [SEATS[1].id, SEATS[2].id, SEATS[4].id])
    assert changed.reservation.hold_expires_at == held.reservation.hold_expires_at
    assert changed.reservation.total_amount == 450_000
    assert find(service, held.reservation).seat_ids == sorted([SEATS[1].id, SEATS[2].id, SEATS[4].id])
    assert service.hold(SEATS[0])
    service.tokens.check_payment(changed.payment_token, held.reservation.id)


def test_concurrent_holds_and_changes_give_a_seat_to_one_reservation(
    new_services: NewServices, superuser: Database, redis: Client
) -> None:
    services = new_services(12)
    changers = [each.hold(SEATS[n]).reservation for n, each in enumerate(services[:6])]
    redis.flushall()  # only Postgres decides
    calls = [partial(each.change, mine, [SEATS[7].id]) for each, mine in zip(services, changers, strict=False)]
    outcomes = concurrently([*calls, *(partial(each.hold, SEATS[7]) for each in services[6:])])
    assert len([each for each in outcomes if isinstance(each, PayableHold)]) == 1
    assert live_seats(superuser).count(SEATS[7].id) == 1


def test_concurrent_changes_leave_no_seats_held_that_the_reservation_does_not_have(
    new_services: NewServices, superuser: Database
) -> None:
    services = new_services(10)
    service = services[0]
    held = service.hold(SEATS[0]).reservation
    groups = [[SEATS[(start + step) % 8].id for step in range(3)] for start in range(8)]
    for _ in range(4):
        # Each call has the reservation as it was before all of the changes.
        stale = find(service, held)
        concurrently([partial(each.change, stale, group) for each, group in zip(services, groups, strict=False)])
        seats = set(live_seats(superuser))
        assert len(seats) == 3
        assert service.seat_holds.held(EVENT, service.clock()) == seats
    service.release(held.user_id, held.id)
    assert service.seat_holds.held(EVENT, service.clock()) == set()


@pytest.mark.parametrize("forgotten", [False, True])  # whether Redis lost the holds: then Postgres rejects the change
def test_a_failed_change_takes_no_seat_from_a_successful_one(
    new_services: NewServices, superuser: Database, redis: Client, *, forgotten: bool
) -> None:
    services = new_services(8)
    service = services[0]
    held = service.hold(SEATS[0]).reservation
    service.hold(SEATS[7])
    if forgotten:
        redis.flushall()
    failing = [partial(each.change, held, [SEATS[1].id, SEATS[7].id]) for each in services[:4]]
    outcomes = concurrently([*failing, *(partial(each.change, held, [SEATS[1].id]) for each in services[4:])])
    assert len([each for each in outcomes if isinstance(each, PayableHold)]) == 4
    assert set(live_seats(superuser)) == {SEATS[1].id, SEATS[7].id}
    assert service.seat_holds.held(EVENT, service.clock()) == (
        {SEATS[1].id} if forgotten else {SEATS[1].id, SEATS[7].id}
    )


def test_concurrent_holds_and_a_confirmation_make_one_purchase_for_each_admission(
    new_services: NewServices, superuser: Database
) -> None:
    services = new_services(8)
    service, user, admission = services[0], UserId(uuid4()), uuid4()
    first = service.hold(SEATS[0], user=user, admission=admission).reservation
    again = [partial(each.hold, SEATS[n], user=user, admission=admission) for n, each in enumerate(services[1:], 1)]
    calls: list[Callable[[], object]] = [partial(service.paid, first), *again]
    concurrently(calls)
    assert code_of(lambda: service.hold(SEATS[1], user=user, admission=admission)) == "QUEUE_TOKEN_INVALID"
    assert live_seats(superuser) == [SEATS[0].id]
    assert service.seat_holds.held(EVENT, service.clock()) <= {SEATS[0].id}
    assert service.hold(SEATS[1], user=user).reservation.status is Status.PENDING  # with another admission


def test_a_late_payment_is_refunded_if_its_admission_holds_other_seats(
    service: ReservationsWithClock, superuser: Database
) -> None:
    user, admission = UserId(uuid4()), uuid4()
    late = service.hold(SEATS[0], user=user, admission=admission).reservation
    service.clock.now += timedelta(seconds=301)
    assert service.expire() == 1
    other = service.hold(SEATS[1], user=user, admission=admission).reservation
    service.paid(late)
    assert (find(service, late).status, find(service, late).refund_amount) == (Status.CANCELLED, late.total_amount)
    service.paid(other)
    assert find(service, other).status is Status.CONFIRMED
    assert live_seats(superuser) == [SEATS[1].id]


def test_a_change_after_the_payment_started_is_rejected(service: ReservationsWithClock) -> None:
    held = service.hold(SEATS[0]).reservation
    service.payable(held.user_id, held.id, timedelta())
    assert code_of(lambda: service.change(held, [SEATS[1].id])) == "PAYMENT_STARTED"
    assert service.hold(SEATS[1])
    service.clock.now += timedelta(seconds=301)
    assert code_of(lambda: service.change(held, [SEATS[2].id])) == "HOLD_EXPIRED"


def test_after_a_payment_that_could_not_be_started_the_seats_can_be_changed(service: ReservationsWithClock) -> None:
    held, payment = service.hold(SEATS[0]).reservation, PaymentId(uuid4())
    service.payable(held.user_id, held.id, timedelta(), payment)
    not_started = partial(service.check_payable.check, held.user_id, held.id, extension=timedelta(), not_started=True)
    not_started(payment_id=PaymentId(uuid4()))  # of another payment
    assert code_of(lambda: service.change(held, [SEATS[1].id])) == "PAYMENT_STARTED"
    not_started(payment_id=payment)
    assert service.change(held, [SEATS[1].id]).reservation.seat_ids == [SEATS[1].id]


def test_a_late_failure_of_an_earlier_payment_does_not_cancel_the_reservation(service: ReservationsWithClock) -> None:
    held, first, second = service.hold(SEATS[0]).reservation, PaymentId(uuid4()), PaymentId(uuid4())
    service.payable(held.user_id, held.id, timedelta(), first)
    service.payable(held.user_id, held.id, timedelta(), second)
    service.failed(held, first)
    assert find(service, held).status is Status.PENDING
    service.failed(held, second)
    assert find(service, held).cancel_reason is CancelReason.PAYMENT_FAILED


def test_a_payment_of_another_amount_is_refunded_in_full_and_frees_the_seats(
    service: ReservationsWithClock, superuser: Database
) -> None:
    held = service.hold(SEATS[0]).reservation
    service.paid(held, amount=1)
    assert find(service, held).cancel_reason is CancelReason.PAYMENT_FAILED
    last = superuser.row("SELECT payload FROM common.outbox_events ORDER BY id DESC LIMIT 1")
    assert last is not None
    assert Envelope.model_validate_json(last["payload"]).payload["refundAmount"] == 1
    assert service.hold(SEATS[0])


def test_a_paid_hold_is_confirmed_and_not_expired_although_its_message_is_late(
    service: ReservationsWithClock, superuser: Database
) -> None:
    held, payment = service.hold(SEATS[0]).reservation, PaymentId(uuid4())
    service.payable(held.user_id, held.id, timedelta(), payment)
    service.payments.add(held, payment, "SUCCESS")
    service.clock.now += timedelta(seconds=301)
    with pytest.raises(DomainError):
        service.hold(SEATS[0])
    assert service.expire() == 0
    assert find(service, held).status is Status.CONFIRMED
    service.paid(held)  # the message
    assert messages(superuser) == ["ReservationConfirmed"]


def test_a_late_message_refunds_nothing_twice(service: ReservationsWithClock, superuser: Database) -> None:
    held, payment = service.hold(SEATS[0]).reservation, PaymentId(uuid4())
    service.payable(held.user_id, held.id, timedelta(), payment)
    service.payments.add(held, payment, "SUCCESS")
    service.clock.now += timedelta(seconds=301)
    service.expire()
    service.cancel(held.user_id, held.id)
    service.paid(held)  # the message
    assert messages(superuser) == ["ReservationConfirmed", "ReservationCancelled"]


def test_an_unpaid_hold_with_a_payment_expires_once_payments_can_be_asked(
    service: ReservationsWithClock, capsys: pytest.CaptureFixture[str]
) -> None:
    unpaid, paid, without = (service.hold(seat).reservation for seat in SEATS[:3])
    ids = {each.id: PaymentId(uuid4()) for each in (unpaid, paid)}
    for each in (unpaid, paid):
        service.payable(each.user_id, each.id, timedelta(), ids[each.id])
    service.payments.add(unpaid, ids[unpaid.id], "PENDING")
    service.payments.add(paid, ids[paid.id], "SUCCESS")
    service.payments.unavailable = True
    service.clock.now += timedelta(seconds=301)
    assert service.expire() == 1
    assert '"OverdueHoldsWaiting":[2.0]' in capsys.readouterr().out
    assert [find(service, each).status for each in (unpaid, paid, without)] == ["PENDING", "PENDING", "CANCELLED"]
    service.payments.unavailable = False
    assert service.expire() == 1
    assert [find(service, each).status for each in (unpaid, paid, without)] == ["CANCELLED", "CONFIRMED", "CANCELLED"]


def test_concurrent_expiries_and_the_message_confirm_a_paid_hold_once(
    new_services: NewServices, superuser: Database
) -> None:
    services = new_services(6)
    held, payment = services[0].hold(SEATS[0]).reservation, PaymentId(uuid4())
    services[0].payable(held.user_id, held.id, timedelta(), payment)
    for each in services:
        each.payments.add(held, payment, "SUCCESS")
        each.clock.now += timedelta(seconds=301)
    calls: list[Callable[[], object]] = [each.expire for each in services[:4]]
    calls += [partial(each.paid, held) for each in services[4:]]
    outcomes = concurrently(calls)
    assert [each for each in outcomes if isinstance(each, Exception)] == []
    assert find(services[0], held).status is Status.CONFIRMED
    assert messages(superuser) == ["ReservationConfirmed"]


def test_a_repeated_hold_of_the_same_seats_gets_the_same_hold_and_token(service: ReservationsWithClock) -> None:
    first = service.hold(SEATS[0], SEATS[1])
    again = service.hold(SEATS[1], SEATS[0], user=first.reservation.user_id)
    assert (again.reservation.id, again.payment_token) == (first.reservation.id, first.payment_token)
    assert (first.is_new, again.is_new) == (True, False)


def test_a_repeated_hold_is_found_although_redis_lost_its_keys(service: ReservationsWithClock, redis: Client) -> None:
    first = service.hold(SEATS[0])
    redis.flushall()
    again = service.hold(SEATS[0], user=first.reservation.user_id)
    assert again.reservation.id == first.reservation.id
    service.tokens.check_payment(again.payment_token, first.reservation.id)
    assert service.seat_holds.holders(EVENT, service.clock()) == {SEATS[0].id: first.reservation.id}


def test_a_second_hold_of_other_seats_names_the_first_one(service: ReservationsWithClock) -> None:
    first = service.hold(SEATS[0]).reservation
    service.hold(SEATS[2])
    for others in ([SEATS[1]], [SEATS[0], SEATS[1]], [SEATS[2]]):
        with pytest.raises(HoldExists) as raised:
            service.hold(*others, user=first.user_id)
        assert raised.value.details == {
            "reservationId": str(first.id),
            "seatIds": [str(SEATS[0].id)],
            "holdExpiresAt": rfc3339(first.hold_expires_at),
        }


def test_the_owner_of_a_live_hold_reads_what_is_needed_to_pay(service: ReservationsWithClock, redis: Client) -> None:
    held, payment = service.hold(SEATS[0]), PaymentId(uuid4())
    reservation = held.reservation
    read = partial(service.read_reservation.read, reservation.user_id, reservation.id)
    own = read()
    assert own.hold is not None
    assert (own.hold.payment_token, own.payment) == (held.payment_token, None)
    service.payable(reservation.user_id, reservation.id, timedelta(), payment)
    service.payments.add(reservation, payment, "PENDING")
    redis.flushall()
    own = read()
    assert own.hold is not None
    assert own.payment is not None
    assert own.payment.payment_id == payment
    service.tokens.check_payment(own.hold.payment_token, reservation.id)
    service.payments.unavailable = True
    assert read().payment is None
    service.clock.now += timedelta(seconds=301)
    own = read()
    assert (own.hold, own.payment) == (None, None)


def test_a_reservation_that_is_confirmed_while_it_is_read_leaves_no_token(
    service: ReservationsWithClock, redis: Client
) -> None:
    held = service.hold(SEATS[0]).reservation
    issue = service.read_reservation._payment_tokens.issue

    def confirmed_meanwhile(*arguments: Any, **named: Any) -> PayableHold:
        service.paid(held)
        return issue(*arguments, **named)

    service.read_reservation._payment_tokens.issue = confirmed_meanwhile  # type: ignore[method-assign]
    own = service.read_reservation.read(held.user_id, held.id)
    assert own.hold is None
    assert redis.get(token_key(PAYMENT, EVENT, held.id)) is None


def test_concurrent_reads_give_one_token(new_services: NewServices, redis: Client) -> None:
    services = new_services(8)
    held = services[0].hold(SEATS[0]).reservation
    redis.flushall()
    owns = concurrently([partial(each.read_reservation.read, held.user_id, held.id) for each in services])
    tokens = {own.hold.payment_token for own in owns if isinstance(own, OwnReservation) and own.hold}
    assert len(tokens) == 1


@pytest.mark.parametrize(
    ("days_before", "fee"),
    [(20, 0), (10, 0), (9, 15_000), (7, 15_000), (6, 30_000), (3, 30_000), (2, 45_000), (1, 45_000)],
)
def test_a_cancellation_costs_the_fee_of_its_day(
    service: ReservationsWithClock, superuser: Database, days_before: int, fee: int
) -> None:
    reservation = service.hold(SEATS[0]).reservation
    service.paid(reservation)
    service.clock.now = reservation.event_starts_at - timedelta(days=days_before)
    cancelled = service.cancel(reservation.user_id, reservation.id)
    assert (cancelled.status, cancelled.fee, cancelled.refund_amount) == (Status.CANCELLED, fee, 150_000 - fee)
    assert service.cancel(reservation.user_id, reservation.id).refund_amount == 150_000 - fee
    assert messages(superuser) == ["ReservationConfirmed", "ReservationCancelled"]
    assert live_seats(superuser) == []


def test_cancelling_within_a_day_is_free_but_impossible_on_the_day_of_the_event(service: ReservationsWithClock) -> None:
    reservation = service.hold(SEATS[0]).reservation
    starts_at = reservation.event_starts_at
    service.clock.now = starts_at - timedelta(days=1)
    with service.database.transaction() as connection:
        connection.execute("UPDATE reservation_service.reservations SET hold_expires_at = %s", (starts_at,))
    service.paid(reservation)
    service.clock.now = starts_at - timedelta(hours=6)  # on the same day in Korea
    assert code_of(lambda: service.cancel(reservation.user_id, reservation.id)) == "NOT_CANCELLABLE"
    service.clock.now = starts_at - timedelta(hours=21)  # the evening before
    assert service.cancel(reservation.user_id, reservation.id).fee == 0


def test_a_fee_that_rose_at_midnight_is_not_charged_to_a_buyer_who_expects_the_old_one(
    service: ReservationsWithClock, superuser: Database
) -> None:
    reservation = service.hold(SEATS[0]).reservation
    service.paid(reservation)
    service.clock.now = reservation.event_starts_at - timedelta(days=3)
    terms = cancellation_terms(find(service, reservation), service.clock.now)
    assert terms is not None
    assert terms.changes_at is not None
    service.clock.now = terms.changes_at
    cancel = partial(service.cancel, reservation.user_id, reservation.id)
    assert code_of(lambda: cancel(expected_fee=terms.fee)) == "CANCELLATION_FEE_CHANGED"
    assert messages(superuser) == ["ReservationConfirmed"]
    assert cancel(expected_fee=45_000).refund_amount == 105_000
    assert cancel(expected_fee=terms.fee).fee == 45_000  # repeated: it is cancelled already, and the answer is the same


def test_concurrent_cancellations_refund_once(new_services: NewServices, superuser: Database) -> None:
    services = new_services(8)
    reservation = services[0].hold(SEATS[0]).reservation
    services[0].paid(reservation)
    outcomes = concurrently([partial(each.cancel, reservation.user_id, reservation.id) for each in services])
    assert [each for each in outcomes if isinstance(each, Exception)] == []
    assert messages(superuser).count("ReservationCancelled") == 1


def buyer_of_late_payment(service: ReservationsWithClock, *seats: Seat) -> Reservation:
    """A reservation whose hold has expired, and whose payment comes now."""
    late = service.hold(*seats).reservation
    service.clock.now += timedelta(seconds=301)
    assert service.expire() == 1
    return late


def test_concurrent_holds_and_confirmations_never_give_a_person_more_seats_than_the_event_allows(
    new_services: NewServices, superuser: Database, redis: Client
) -> None:
    services = new_services(4)
    service = services[0]
    counts = set()
    for _ in range(8):
        late = buyer_of_late_payment(service, *SEATS[:3])
        for each in services[1:]:
            each.clock.now = service.clock.now
        # Each hold has an admission of its own.
        holds = [partial(each.hold, *SEATS[n : n + 2], user=late.user_id) for n, each in enumerate(services[1:], 3)]
        calls: list[Callable[[], object]] = [partial(service.paid, late), *holds]
        concurrently(calls)
        counts.add(len(live_seats(superuser)))
        with superuser.transaction() as connection:
            connection.execute(
                "TRUNCATE common.outbox_events, reservation_service.reservations, reservation_service.reservation_seats"
            )
        redis.flushall()
    assert max(counts) <= 4, counts


def test_a_person_cannot_have_more_seats_of_an_event_than_it_allows_however_many_admissions(
    service: ReservationsWithClock, superuser: Database
) -> None:
    user = UserId(uuid4())
    service.paid(service.hold(*SEATS[:3], user=user).reservation)
    with pytest.raises(TooManySeats) as raised:
        service.hold(SEATS[3], SEATS[4], user=user)
    assert raised.value.details == {"maxSeats": 4, "maxSeatsPer": "PERSON", "otherSeats": 3}
    assert service.seat_holds.held(EVENT, service.clock()) == {seat.id for seat in SEATS[:3]}

    held = service.hold(SEATS[3], user=user).reservation
    assert code_of(lambda: service.change(held, [SEATS[4].id, SEATS[5].id])) == "TOO_MANY_SEATS"
    assert service.change(held, [SEATS[4].id]).reservation.seat_ids == [SEATS[4].id]
    assert service.hold(*SEATS[5:8])  # another person


def test_seats_of_a_cancelled_reservation_do_not_count_for_its_person(service: ReservationsWithClock) -> None:
    user = UserId(uuid4())
    bought = service.hold(*SEATS[:4], user=user).reservation
    service.paid(bought)
    assert code_of(lambda: service.hold(SEATS[4], user=user)) == "TOO_MANY_SEATS"
    service.cancel(user, bought.id)
    assert service.hold(*SEATS[4:8], user=user)


def test_each_reservation_counts_alone_where_the_event_says_so(
    database_of: Callable[[str], Database], redis: Client
) -> None:
    service = ReservationsWithClock(database_of("reservation_service"), redis, FakeOffers(max_seats_per="RESERVATION"))
    late = buyer_of_late_payment(service, *SEATS[:4])
    service.hold(*SEATS[4:8], user=late.user_id)
    service.paid(late)
    assert find(service, late).status is Status.CONFIRMED


def test_a_late_payment_for_more_seats_than_its_person_may_have_is_refunded(
    service: ReservationsWithClock, superuser: Database
) -> None:
    late = buyer_of_late_payment(service, *SEATS[:4])
    other = service.hold(SEATS[4], user=late.user_id).reservation
    service.paid(late)
    assert (find(service, late).status, find(service, late).refund_amount) == (Status.CANCELLED, late.total_amount)
    assert live_seats(superuser) == other.seat_ids


def test_concurrent_holds_of_one_admission_are_bounded(new_services: NewServices) -> None:
    services, user, admission = new_services(4), UserId(uuid4()), uuid4()
    held: list[PayableHold] = []

    def hold_and_release(service: ReservationsWithClock, seat: Seat) -> None:
        for _ in range(10):
            try:
                hold = service.hold(seat, user=user, admission=admission)
            except HoldExists:
                continue
            held.append(hold)
            service.release(user, hold.reservation.id)

    outcomes = concurrently([partial(hold_and_release, each, SEATS[n]) for n, each in enumerate(services)])
    while len(held) < HOLDS_PER_ADMISSION:  # the threads may have met each other's holds too often
        hold_and_release(services[0], SEATS[0])
    assert {getattr(each, "code", None) for each in outcomes} <= {None, "TOO_MANY_HOLDS"}
    assert len(held) == HOLDS_PER_ADMISSION
    assert code_of(lambda: services[0].hold(SEATS[7], user=user, admission=admission)) == "TOO_MANY_HOLDS"
    assert services[0].seat_holds.held(EVENT, services[0].clock()) == set()
    assert services[0].hold(SEATS[7], user=user)  # with another admission
