"""Each kind of disagreement between Redis, reservations and seats, created, found and repaired (EVT-030)."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from common.contracts.live_seats import HeldSeat, RepairHoldsRequest, RepairHoldsResponse
from common.domain.ids import ReservationId, SeatId
from common.stores.postgres import Database
from common.stores.redis import Client
from functions.events.domain.seat_disagreements import Disagreements
from functions.events.usecases.seat_reconciliation import reconcile
from functions.events.usecases.seat_records import SeatRecords
from tests.support.fixtures.sale_services import SaleServices
from tools.simulation.events_service import seat_sales

NONE = Disagreements()
LIFE = timedelta(minutes=5)


class Reconciliation:
    """Runs the reconciliation on the services of a sale."""

    def __init__(self, services: SaleServices) -> None:
        events = services.events
        self.event_id = services.event.id
        self.records = SeatRecords(events.database, events.events, events.seats, seat_sales(), services, events.cache)

    def __call__(self, during_wait: Callable[[], object] = lambda: None) -> Disagreements:
        def wait(_seconds: float) -> None:
            during_wait()

        def failed(_event_id: UUID, error: Exception) -> None:
            raise error

        return reconcile(self.records, wait, failed).get(self.event_id, NONE)


@pytest.fixture
def services(database_of: Callable[[str], Database], superuser: Database, redis: Client) -> SaleServices:
    return SaleServices(database_of, superuser, redis)


@pytest.fixture
def reconciliation(services: SaleServices) -> Reconciliation:
    return Reconciliation(services)


def sold(services: SaleServices) -> list[SeatId]:
    return services.events.reads.sold_seats(services.event.id)


def test_a_consistent_sale_needs_no_repair(services: SaleServices, reconciliation: Reconciliation) -> None:
    services.buy(0, 1)
    services.hold(2)
    cancelled_reservation = services.buy(3)
    services.reservations.cancel_reservation.cancel(cancelled_reservation.user_id, cancelled_reservation.id)
    services.delivery.deliver()
    assert reconciliation() == NONE


def test_a_lost_confirmation_is_repaired(services: SaleServices, reconciliation: Reconciliation) -> None:
    bought = services.buy(0)
    assert sold(services) == []
    found = reconciliation()
    assert found == Disagreements(missing_sales=frozenset({(services.seat_ids[0], ReservationId(bought.id))}))
    assert sold(services) == [services.seat_ids[0]]
    assert reconciliation() == NONE
    services.delivery.deliver()  # the message arrives late
    assert reconciliation() == NONE


def test_a_message_that_arrives_during_the_wait_needs_no_repair(
    services: SaleServices, reconciliation: Reconciliation
) -> None:
    services.buy(0)
    assert reconciliation(during_wait=services.delivery.deliver) == NONE


def test_a_lost_cancellation_is_repaired(
    services: SaleServices, reconciliation: Reconciliation, superuser: Database
) -> None:
    bought = services.buy(0)
    services.delivery.deliver()
    services.reservations.cancel_reservation.cancel(bought.user_id, bought.id)
    assert reconciliation() == Disagreements(stale_claims=frozenset({(services.seat_ids[0], ReservationId(bought.id))}))
    assert (sold(services), reconciliation()) == ([], NONE)


def test_a_sale_to_an_unknown_reservation_is_removed(
    services: SaleServices, reconciliation: Reconciliation, superuser: Database
) -> None:
    bought, unknown = services.buy(0), ReservationId(uuid4())
    services.delivery.deliver()
    with superuser.transaction() as connection:
        connection.execute(
            "UPDATE event_service.seats SET claims = %s || claims WHERE id = %s", ([unknown], services.seat_ids[0])
        )
    assert reconciliation() == Disagreements(stale_claims=frozenset({(services.seat_ids[0], unknown)}))
    assert reconciliation() == NONE
    assert services.events.seats.sales(services.event.id) == {services.seat_ids[0]: [bought.id]}


def test_a_hold_of_an_unknown_reservation_is_released(services: SaleServices, reconciliation: Reconciliation) -> None:
    unknown, seat = ReservationId(uuid4()), services.seat_ids[0]
    services.holds.take(services.event_id, unknown, [seat], LIFE, services.clock())
    assert reconciliation() == Disagreements(orphan_holds=frozenset({(seat, unknown)}))
    assert (services.holds.held(services.event_id, services.clock()), reconciliation()) == (set(), NONE)


def test_a_hold_that_is_being_written_to_postgres_is_left_unchanged(
    services: SaleServices, reconciliation: Reconciliation
) -> None:
    held = services.hold(0)
    orphan = ReservationId(uuid4())
    services.holds.take(services.event_id, orphan, [services.seat_ids[1]], LIFE, services.clock())
    release = partial(services.holds.release, services.event_id, orphan, [services.seat_ids[1]])
    assert reconciliation(during_wait=release) == NONE
    assert services.holds.holders(services.event_id, services.clock()) == {services.seat_ids[0]: held.id}


def test_a_hold_whose_reservation_is_live_at_the_repair_is_left_unchanged(services: SaleServices) -> None:
    held, seat = services.hold(0), services.seat_ids[0]
    request = RepairHoldsRequest(
        event_id=services.event.id, release=[HeldSeat(seat_id=seat, reservation_id=held.id)], forgotten=[]
    )
    assert services.repair_holds(request) == RepairHoldsResponse(released=0, remembered=0)
    assert services.holds.holders(services.event_id, services.clock()) == {seat: held.id}


def test_a_seat_listed_as_held_without_a_hold_is_removed_from_the_list(
    services: SaleServices, reconciliation: Reconciliation, redis: Client
) -> None:
    seat = services.seat_ids[0]
    services.holds.take(services.event_id, ReservationId(uuid4()), [seat], LIFE, services.clock())
    redis.delete(f"seat:hold:{{{services.event.id}}}:{seat}")
    assert reconciliation() == Disagreements(orphan_holds=frozenset({(seat, None)}))
    assert services.holds.held(services.event_id, services.clock()) == set()


def test_a_hold_that_redis_lost_is_taken_again(
    services: SaleServices, reconciliation: Reconciliation, redis: Client
) -> None:
    held = services.hold(0, 1)
    redis.flushall()
    pairs = frozenset((seat, ReservationId(held.id)) for seat in services.seat_ids[:2])
    assert reconciliation() == Disagreements(forgotten_holds=pairs)
    assert services.holds.holders(services.event_id, services.clock()) == dict.fromkeys(services.seat_ids[:2], held.id)
    assert reconciliation() == NONE


def test_a_seat_held_by_another_reservation_returns_to_its_own(
    services: SaleServices, reconciliation: Reconciliation, redis: Client
) -> None:
    held, other, seat = services.hold(0), ReservationId(uuid4()), services.seat_ids[0]
    redis.flushall()
    services.holds.take(services.event_id, other, [seat], LIFE, services.clock())
    assert reconciliation() == Disagreements(
        orphan_holds=frozenset({(seat, other)}), forgotten_holds=frozenset({(seat, ReservationId(held.id))})
    )
    assert services.holds.holders(services.event_id, services.clock()) == {seat: held.id}


def test_a_seat_sold_twice_is_reported_and_not_repaired(
    services: SaleServices, reconciliation: Reconciliation, superuser: Database, redis: Client
) -> None:
    first = services.buy(0)
    with superuser.transaction() as connection:  # the unique index would prevent the second sale
        connection.execute("UPDATE reservation_service.reservation_seats SET live = false")
    redis.flushall()
    again = services.hold(0)
    services.pay(again)
    services.delivery.deliver()
    found = reconciliation()
    assert found == Disagreements(oversold_seats=frozenset({services.seat_ids[0]}))
    claims = services.events.seats.sales(services.event.id)[services.seat_ids[0]]
    assert claims == [first.id, again.id]
