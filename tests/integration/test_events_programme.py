"""Venues, halls, events and what is read of them, on a real Postgres."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from common.domain.clock import new_id
from common.domain.ids import EventId, SeatId, VenueId
from common.domain.shared_errors import DomainError, InvalidInput, NotFound
from common.stores.postgres import Database
from functions.events.domain.seat_template import GRADES
from tools.simulation.events_service import (
    ARENA,
    ARENA_PRICES,
    SALE_ENDS,
    SALE_STARTS,
    SHOW_ENDS,
    SHOW_STARTS,
    TEMPLATE,
    Programme,
)


@pytest.fixture
def programme(database_of: Callable[[str], Database]) -> Programme:
    return Programme(database_of("event_service"))


def test_an_event_has_every_seat_of_its_hall_by_grade_with_the_grades_price(programme: Programme) -> None:
    made = programme.event()

    assert made.seat_count == 8
    dearest, other = programme.seat_list(made.id).grades
    assert (dearest.grade, dearest.price, other.grade, other.price) == ("VIP", 150_000, "S", 120_000)
    assert [seat.number for seat in dearest.seats] == ["A-1-1", "A-1-2"]
    assert [seat.number for seat in other.seats] == ["B-1-1", "B-1-2", "B-1-3", "B-2-1", "B-2-2", "B-2-3"]
    assert {seat.status for seat in dearest.seats + other.seats} == {"AVAILABLE"}
    assert {seat.id.version for seat in dearest.seats + other.seats} == {7}


def test_a_refused_event_leaves_nothing_behind(programme: Programme) -> None:
    with pytest.raises(DomainError) as refusal:
        programme.event(prices={"VIP": 1})
    assert type(refusal.value) is InvalidInput
    assert programme.database.rows("SELECT 1 FROM event_service.events") == []


def test_an_event_cannot_be_in_a_hall_of_another_venue(programme: Programme) -> None:
    with pytest.raises(DomainError) as refusal:
        programme.event(venue_id=programme.venue(), hall_id=programme.hall(programme.venue()))
    assert type(refusal.value) is NotFound


def test_an_arena_of_fifty_thousand_seats_is_on_sale_after_one_request(programme: Programme) -> None:
    venue_id = programme.venue()
    hall_id = programme.hall(venue_id, ARENA)
    made = programme.event(venue_id=venue_id, hall_id=hall_id, prices=ARENA_PRICES)

    assert made.seat_count == 50_000
    assert programme.events.event(made.id).remaining == dict.fromkeys(GRADES, 12_500)
    counted = programme.database.row(
        "SELECT count(DISTINCT number) AS numbers FROM event_service.seats WHERE event_id = %s", (made.id,)
    )
    assert counted == {"numbers": 50_000}


@pytest.mark.parametrize(
    ("now", "status"),
    [
        (SALE_STARTS - timedelta(microseconds=1), "UPCOMING"),
        (SALE_STARTS, "ONGOING"),
        (SALE_ENDS, "ONGOING"),
        (SHOW_ENDS - timedelta(microseconds=1), "ONGOING"),
        (SHOW_ENDS, "ENDED"),
    ],
)
def test_an_events_status_follows_from_the_time_wherever_it_is_read(
    programme: Programme, now: datetime, status: str
) -> None:
    event_id = programme.event().id
    programme.now = now

    assert programme.events.event(event_id).status == status
    for searched in ("UPCOMING", "ONGOING", "ENDED", "CANCELLED"):
        assert len(programme.titles(status=searched)) == (searched == status)


def test_a_cancelled_event_is_cancelled_at_any_time(programme: Programme) -> None:
    event_id = programme.event().id
    programme.cancel(event_id, SALE_STARTS)
    for now in (SALE_STARTS - timedelta(days=1), SALE_STARTS, SHOW_ENDS):
        programme.now = now
        assert programme.events.event(event_id).status == "CANCELLED"


def test_an_event_tells_where_it_is_and_what_is_left_of_each_grade_sold_out_ones_too(programme: Programme) -> None:
    made = programme.event()
    first, second, third, *_ = programme.seat_ids(made.id)
    programme.sell(first, second, third)

    detail = programme.events.event(made.id)
    assert list(detail.remaining.items()) == [("VIP", 0), ("S", 5)]
    assert (detail.venue.city, detail.hall.capacity, detail.title) == ("Seoul", 8, "Concert")


@pytest.mark.parametrize("read", ["event", "sale_terms"])
def test_an_unknown_event_is_not_found(programme: Programme, read: str) -> None:
    with pytest.raises(DomainError) as refusal:
        getattr(programme.events, read)(EventId(new_id()))
    assert type(refusal.value) is NotFound


def test_the_seats_of_an_unknown_event_are_not_found(programme: Programme) -> None:
    for ask in (
        lambda: programme.seats.layout(EventId(new_id())),
        lambda: programme.seats.statuses(EventId(new_id())),
        lambda: programme.seats.offer(EventId(new_id()), []),
    ):
        with pytest.raises(DomainError) as refusal:
            ask()
        assert type(refusal.value) is NotFound


def test_events_that_start_together_are_each_on_one_page(programme: Programme) -> None:
    venue_id = programme.venue()
    hall_id = programme.hall(venue_id)
    made = sorted(programme.event(venue_id=venue_id, hall_id=hall_id).id for _ in range(7))
    for sort in ("startsAt", "-startsAt", "saleStartsAt", "title"):
        pages = [programme.page(page=page, size=3, sort=sort) for page in range(4)]
        seen = [event.id for page in pages for event in page.items]
        assert seen == (made[::-1] if sort == "-startsAt" else made), "ids settle what the sort leaves open"
        assert {page.total for page in pages} == {7}, "the page after the last knows the total too"


def test_events_are_sorted_as_asked(programme: Programme) -> None:
    day = timedelta(days=1)
    programme.event(title="B", starts_at=SHOW_STARTS - day, sale_starts_at=SALE_STARTS + day)
    programme.event(title="A", starts_at=SHOW_STARTS, sale_starts_at=SALE_STARTS + 2 * day)
    programme.event(title="C", starts_at=SHOW_STARTS - 2 * day, sale_starts_at=SALE_STARTS)
    assert programme.titles() == ["C", "B", "A"]
    assert programme.titles(sort="-startsAt") == ["A", "B", "C"]
    assert programme.titles(sort="saleStartsAt") == ["C", "B", "A"]
    assert programme.titles(sort="title") == ["A", "B", "C"]


def test_events_are_found_by_city_by_time_and_by_words_of_title_or_artist(programme: Programme) -> None:
    programme.event(title="Spring Night", artist="Han River Philharmonic")
    programme.event(
        title="100% Jazz_Live", venue_id=programme.venue(city="Busan"), starts_at=SHOW_STARTS - timedelta(1)
    )

    assert programme.titles(city="Busan") == ["100% Jazz_Live"]
    assert programme.titles(q="spring") == ["Spring Night"]
    assert programme.titles(q="PHILHARMONIC") == ["Spring Night"]
    assert programme.titles(q="0% jazz_") == ["100% Jazz_Live"]
    assert programme.titles(q="%") == ["100% Jazz_Live"], "a wildcard is a letter like any other"
    assert programme.titles(q="Spring_Night") == []
    assert programme.titles(q="\\") == []
    assert programme.titles(**{"from": SHOW_STARTS}) == ["Spring Night"]
    assert programme.titles(to=SHOW_STARTS) == ["100% Jazz_Live"]


def test_venues_are_listed_by_name_with_their_halls(programme: Programme) -> None:
    concert_hall = programme.venue(name="Concert Hall", city="Busan")
    arena = programme.venue(name="Arena")
    programme.hall(arena)

    page = programme.venues.page(None, limit=1, offset=0)
    assert ([venue.id for venue in page.items], page.total) == ([arena], 2)
    assert [hall.capacity for hall in page.items[0].halls] == [8]
    assert [venue.id for venue in programme.venues.page("Busan", limit=20, offset=0).items] == [concert_hall]
    assert programme.venues.venue(arena).halls[0].seat_template == TEMPLATE


def test_a_hall_needs_its_venue(programme: Programme) -> None:
    with pytest.raises(DomainError) as refusal:
        programme.hall(VenueId(new_id()))
    assert type(refusal.value) is NotFound


def test_the_catalogue_offers_only_seats_of_its_event_among_those_asked_for(programme: Programme) -> None:
    event_id, other_event_id = programme.event().id, programme.event().id
    first, second, *_ = programme.seat_ids(event_id)
    programme.sell(second)

    offered = programme.seats.offer(event_id, [second, first, programme.seat_ids(other_event_id)[0], SeatId(new_id())])
    assert [(seat.id, seat.number, seat.price, seat.status) for seat in offered.seats] == [
        (first, "A-1-1", 150_000, "AVAILABLE"),
        (second, "A-1-2", 150_000, "SOLD"),
    ]
    assert (offered.seat_count, offered.max_seats, offered.cancelled) == (8, 4, False)
    assert programme.seats.offer(event_id, []).seats == []


def test_sold_seats_are_told_apart_by_event(programme: Programme) -> None:
    event_id, other_event_id = programme.event().id, programme.event().id
    sold, *_ = programme.seat_ids(event_id)
    programme.sell(sold)
    assert programme.reads.sold_seats(event_id) == [sold]
    assert programme.reads.sold_seats(other_event_id) == []


def test_an_event_is_sold_out_once_no_seat_is_left(programme: Programme) -> None:
    event_id = programme.event().id
    *seat_ids, last = programme.seat_ids(event_id)
    programme.sell(*seat_ids)
    assert not programme.events.sale_terms(event_id).sold_out
    programme.sell(last)
    assert programme.events.sale_terms(event_id).sold_out


@pytest.mark.parametrize("when", [SALE_STARTS - timedelta(days=1), SALE_STARTS + timedelta(days=1)])
def test_the_sale_of_a_cancelled_event_is_over_since_then_even_one_that_never_began(
    programme: Programme, when: datetime
) -> None:
    event_id = programme.event().id
    programme.cancel(event_id, when)
    terms = programme.events.sale_terms(event_id)
    assert terms.sale_starts_at <= terms.sale_ends_at == when


def test_the_sale_of_an_event_that_is_on_keeps_its_times(programme: Programme) -> None:
    terms = programme.events.sale_terms(programme.event().id)
    assert (terms.sale_starts_at, terms.sale_ends_at) == (SALE_STARTS, SALE_ENDS)
    assert (terms.queue_capacity, terms.admission_per_second) == (50_000, 10)
