"""Each kind of disagreement between Redis, reservations and seats, planted, found and mended (EVT-030)."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from common.contracts.seat_ledger import HeldSeat, MendHoldsAnswer, MendHoldsAsked
from common.domain.ids import ReservationId
from common.stores.postgres import Database
from common.stores.redis import Client
from functions.events.seat_reconciliation import Disagreements, reconcile
from functions.events.seat_stores import SeatStores
from tests.box_office import BoxOffice

NONE = Disagreements()
LIFE = timedelta(minutes=5)


class Round:
    """The scheduled function over a box office."""

    def __init__(self, office: BoxOffice) -> None:
        programme = office.programme
        self.office = office
        self.stores = SeatStores(programme.database, programme.events, programme.seats, office, programme.cache)

    def __call__(self, meanwhile: Callable[[], object] = lambda: None) -> Disagreements:
        def wait(_seconds: float) -> None:
            meanwhile()

        def failed(_event_id: UUID, error: Exception) -> None:
            raise error

        return reconcile(self.stores, wait, failed).get(self.office.event.id, NONE)


@pytest.fixture
def office(database_of: Callable[[str], Database], superuser: Database, redis: Client) -> BoxOffice:
    return BoxOffice(database_of, superuser, redis)


@pytest.fixture
def look(office: BoxOffice) -> Round:
    return Round(office)


def sold(office: BoxOffice) -> list[UUID]:
    return office.programme.reads.sold(office.event.id)


def test_a_sale_as_it_should_be_has_nothing_to_mend(office: BoxOffice, look: Round) -> None:
    office.buy(0, 1)
    office.hold(2)
    given_back = office.buy(3)
    office.reservations.cancel_reservation.cancel(given_back.user_id, given_back.id)
    office.courier.deliver()
    assert look() == NONE


def test_a_confirmation_that_was_lost_is_made_good(office: BoxOffice, look: Round) -> None:
    bought = office.buy(0)
    assert sold(office) == []
    found = look()
    assert found == Disagreements(missing_sales=frozenset({(office.seat_ids[0], bought.id)}))
    assert sold(office) == [office.seat_ids[0]]
    assert look() == NONE
    office.courier.deliver()  # the message comes after all
    assert look() == NONE


def test_a_message_on_its_way_is_waited_for(office: BoxOffice, look: Round) -> None:
    office.buy(0)
    assert look(meanwhile=office.courier.deliver) == NONE


def test_a_cancellation_that_was_lost_is_made_good(office: BoxOffice, look: Round, superuser: Database) -> None:
    bought = office.buy(0)
    office.courier.deliver()
    office.reservations.cancel_reservation.cancel(bought.user_id, bought.id)
    assert look() == Disagreements(stale_claims=frozenset({(office.seat_ids[0], bought.id)}))
    assert (sold(office), look()) == ([], NONE)


def test_a_claim_of_nobody_is_taken_away(office: BoxOffice, look: Round, superuser: Database) -> None:
    bought, nobody = office.buy(0), uuid4()
    office.courier.deliver()
    with superuser.transaction() as connection:
        connection.execute(
            "UPDATE event_service.seats SET claims = %s || claims WHERE id = %s", ([nobody], office.seat_ids[0])
        )
    assert look() == Disagreements(stale_claims=frozenset({(office.seat_ids[0], nobody)}))
    assert look() == NONE
    assert office.programme.seats.claims(office.event.id) == {office.seat_ids[0]: [bought.id]}


def test_a_hold_of_nobody_is_released(office: BoxOffice, look: Round) -> None:
    nobody, seat = ReservationId(uuid4()), office.seat_ids[0]
    office.holds.take(office.event_id, nobody, [seat], LIFE, office.clock())
    assert look() == Disagreements(orphan_holds=frozenset({(seat, nobody)}))
    assert (office.holds.held(office.event_id, office.clock()), look()) == (set(), NONE)


def test_a_hold_on_its_way_into_postgres_is_left_alone(office: BoxOffice, look: Round) -> None:
    held = office.hold(0)
    orphan = ReservationId(uuid4())
    office.holds.take(office.event_id, orphan, [office.seat_ids[1]], LIFE, office.clock())
    assert look(meanwhile=lambda: office.holds.release(office.event_id, orphan, [office.seat_ids[1]])) == NONE
    assert office.holds.holders(office.event_id, office.clock()) == {office.seat_ids[0]: held.id}


def test_a_hold_whose_reservation_lives_by_the_time_it_is_mended_is_left_alone(office: BoxOffice) -> None:
    held, seat = office.hold(0), office.seat_ids[0]
    asked = MendHoldsAsked(
        event_id=office.event.id, release=[HeldSeat(seat_id=seat, reservation_id=held.id)], forgotten=[]
    )
    assert office.mend(asked) == MendHoldsAnswer(released=0, remembered=0)
    assert office.holds.holders(office.event_id, office.clock()) == {seat: held.id}


def test_a_name_left_on_the_list_of_holds_is_taken_off(office: BoxOffice, look: Round, redis: Client) -> None:
    seat = office.seat_ids[0]
    office.holds.take(office.event_id, ReservationId(uuid4()), [seat], LIFE, office.clock())
    redis.delete(f"seat:hold:{{{office.event.id}}}:{seat}")
    assert look() == Disagreements(orphan_holds=frozenset({(seat, None)}))
    assert office.holds.held(office.event_id, office.clock()) == set()


def test_a_hold_that_redis_forgot_is_taken_again(office: BoxOffice, look: Round, redis: Client) -> None:
    held = office.hold(0, 1)
    redis.flushall()
    pairs = frozenset((seat, held.id) for seat in office.seat_ids[:2])
    assert look() == Disagreements(forgotten_holds=pairs)
    assert office.holds.holders(office.event_id, office.clock()) == dict.fromkeys(office.seat_ids[:2], held.id)
    assert look() == NONE


def test_a_seat_whose_hold_is_somebody_elses_goes_back_to_its_reservation(
    office: BoxOffice, look: Round, redis: Client
) -> None:
    held, thief, seat = office.hold(0), ReservationId(uuid4()), office.seat_ids[0]
    redis.flushall()
    office.holds.take(office.event_id, thief, [seat], LIFE, office.clock())
    assert look() == Disagreements(
        orphan_holds=frozenset({(seat, thief)}), forgotten_holds=frozenset({(seat, held.id)})
    )
    assert office.holds.holders(office.event_id, office.clock()) == {seat: held.id}


def test_a_seat_sold_twice_is_told_and_left_to_a_person(
    office: BoxOffice, look: Round, superuser: Database, redis: Client
) -> None:
    first = office.buy(0)
    with superuser.transaction() as connection:  # what the unique index keeps everybody from doing
        connection.execute("UPDATE reservation_service.reservation_seats SET live = false")
    redis.flushall()
    again = office.hold(0)
    office.pay(again)
    office.courier.deliver()
    found = look()
    assert found == Disagreements(oversold_seats=frozenset({office.seat_ids[0]}))
    claims = office.programme.seats.claims(office.event.id)[office.seat_ids[0]]
    assert claims == [first.id, again.id]
