"""Each kind of disagreement between Redis, reservations and seats, created, found and repaired (EVT-030)."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from common.contracts.seat_ledger import HeldSeat, RepairHoldsRequest, RepairHoldsResponse
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
    """Runs the reconciliation over a box office."""

    def __init__(self, office: SaleServices) -> None:
        service = office.events
        self.office = office
        self.records = SeatRecords(service.database, service.events, service.seats, seat_sales(), office, service.cache)

    def __call__(self, meanwhile: Callable[[], object] = lambda: None) -> Disagreements:
        def wait(_seconds: float) -> None:
            meanwhile()

        def failed(_event_id: UUID, error: Exception) -> None:
            raise error

        return reconcile(self.records, wait, failed).get(self.office.event.id, NONE)


@pytest.fixture
def office(database_of: Callable[[str], Database], superuser: Database, redis: Client) -> SaleServices:
    return SaleServices(database_of, superuser, redis)


@pytest.fixture
def look(office: SaleServices) -> Reconciliation:
    return Reconciliation(office)


def sold(office: SaleServices) -> list[SeatId]:
    return office.events.reads.sold_seats(office.event.id)


def test_a_consistent_sale_needs_no_repair(office: SaleServices, look: Reconciliation) -> None:
    office.buy(0, 1)
    office.hold(2)
    cancelled_reservation = office.buy(3)
    office.reservations.cancel_reservation.cancel(cancelled_reservation.user_id, cancelled_reservation.id)
    office.delivery.deliver()
    assert look() == NONE


def test_a_lost_confirmation_is_repaired(office: SaleServices, look: Reconciliation) -> None:
    bought = office.buy(0)
    assert sold(office) == []
    found = look()
    assert found == Disagreements(missing_sales=frozenset({(office.seat_ids[0], ReservationId(bought.id))}))
    assert sold(office) == [office.seat_ids[0]]
    assert look() == NONE
    office.delivery.deliver()  # the message arrives late
    assert look() == NONE


def test_a_message_under_way_is_waited_for(office: SaleServices, look: Reconciliation) -> None:
    office.buy(0)
    assert look(meanwhile=office.delivery.deliver) == NONE


def test_a_lost_cancellation_is_repaired(office: SaleServices, look: Reconciliation, superuser: Database) -> None:
    bought = office.buy(0)
    office.delivery.deliver()
    office.reservations.cancel_reservation.cancel(bought.user_id, bought.id)
    assert look() == Disagreements(stale_claims=frozenset({(office.seat_ids[0], ReservationId(bought.id))}))
    assert (sold(office), look()) == ([], NONE)


def test_a_sale_to_an_unknown_reservation_is_removed(
    office: SaleServices, look: Reconciliation, superuser: Database
) -> None:
    bought, unknown = office.buy(0), ReservationId(uuid4())
    office.delivery.deliver()
    with superuser.transaction() as connection:
        connection.execute(
            "UPDATE event_service.seats SET claims = %s || claims WHERE id = %s", ([unknown], office.seat_ids[0])
        )
    assert look() == Disagreements(stale_claims=frozenset({(office.seat_ids[0], unknown)}))
    assert look() == NONE
    assert office.events.seats.sales(office.event.id) == {office.seat_ids[0]: [bought.id]}


def test_a_hold_of_an_unknown_reservation_is_released(office: SaleServices, look: Reconciliation) -> None:
    unknown, seat = ReservationId(uuid4()), office.seat_ids[0]
    office.holds.take(office.event_id, unknown, [seat], LIFE, office.clock())
    assert look() == Disagreements(orphan_holds=frozenset({(seat, unknown)}))
    assert (office.holds.held(office.event_id, office.clock()), look()) == (set(), NONE)


def test_a_hold_that_is_being_written_to_postgres_is_left_unchanged(office: SaleServices, look: Reconciliation) -> None:
    held = office.hold(0)
    orphan = ReservationId(uuid4())
    office.holds.take(office.event_id, orphan, [office.seat_ids[1]], LIFE, office.clock())
    assert look(meanwhile=lambda: office.holds.release(office.event_id, orphan, [office.seat_ids[1]])) == NONE
    assert office.holds.holders(office.event_id, office.clock()) == {office.seat_ids[0]: held.id}


def test_a_hold_whose_reservation_is_live_at_the_repair_is_left_unchanged(office: SaleServices) -> None:
    held, seat = office.hold(0), office.seat_ids[0]
    asked = RepairHoldsRequest(
        event_id=office.event.id, release=[HeldSeat(seat_id=seat, reservation_id=held.id)], forgotten=[]
    )
    assert office.repair_holds(asked) == RepairHoldsResponse(released=0, remembered=0)
    assert office.holds.holders(office.event_id, office.clock()) == {seat: held.id}


def test_a_seat_listed_as_held_without_a_hold_is_removed_from_the_list(
    office: SaleServices, look: Reconciliation, redis: Client
) -> None:
    seat = office.seat_ids[0]
    office.holds.take(office.event_id, ReservationId(uuid4()), [seat], LIFE, office.clock())
    redis.delete(f"seat:hold:{{{office.event.id}}}:{seat}")
    assert look() == Disagreements(orphan_holds=frozenset({(seat, None)}))
    assert office.holds.held(office.event_id, office.clock()) == set()


def test_a_hold_that_redis_lost_is_taken_again(office: SaleServices, look: Reconciliation, redis: Client) -> None:
    held = office.hold(0, 1)
    redis.flushall()
    pairs = frozenset((seat, ReservationId(held.id)) for seat in office.seat_ids[:2])
    assert look() == Disagreements(forgotten_holds=pairs)
    assert office.holds.holders(office.event_id, office.clock()) == dict.fromkeys(office.seat_ids[:2], held.id)
    assert look() == NONE


def test_a_seat_held_by_another_reservation_returns_to_its_own(
    office: SaleServices, look: Reconciliation, redis: Client
) -> None:
    held, other, seat = office.hold(0), ReservationId(uuid4()), office.seat_ids[0]
    redis.flushall()
    office.holds.take(office.event_id, other, [seat], LIFE, office.clock())
    assert look() == Disagreements(
        orphan_holds=frozenset({(seat, other)}), forgotten_holds=frozenset({(seat, ReservationId(held.id))})
    )
    assert office.holds.holders(office.event_id, office.clock()) == {seat: held.id}


def test_a_seat_sold_twice_is_reported_and_not_repaired(
    office: SaleServices, look: Reconciliation, superuser: Database, redis: Client
) -> None:
    first = office.buy(0)
    with superuser.transaction() as connection:  # which the unique index prevents
        connection.execute("UPDATE reservation_service.reservation_seats SET live = false")
    redis.flushall()
    again = office.hold(0)
    office.pay(again)
    office.delivery.deliver()
    found = look()
    assert found == Disagreements(oversold_seats=frozenset({office.seat_ids[0]}))
    claims = office.events.seats.sales(office.event.id)[office.seat_ids[0]]
    assert claims == [first.id, again.id]
