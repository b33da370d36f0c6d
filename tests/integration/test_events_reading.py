"""Reads of venues, halls and events on a real Postgres."""

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
    EVENT_ENDS,
    EVENT_STARTS,
    SALE_ENDS,
    SALE_STARTS,
    TEMPLATE,
    EventsService,
)


@pytest.fixture
def service(database_of: Callable[[str], Database]) -> EventsService:
    return EventsService(database_of("event_service"))


def test_an_event_has_every_seat_of_its_hall_by_grade_with_the_grades_price(service: EventsService) -> None:
    event = service.event()

    assert event.seat_count == 8
    dearest, other = service.seat_list(event.id).grades
    assert (dearest.grade, dearest.price, other.grade, other.price) == ("VIP", 150_000, "S", 120_000)
    assert [seat.number for seat in dearest.seats] == ["A-1-1", "A-1-2"]
    assert [seat.number for seat in other.seats] == ["B-1-1", "B-1-2", "B-1-3", "B-2-1", "B-2-2", "B-2-3"]
    assert {seat.status for seat in dearest.seats + other.seats} == {"AVAILABLE"}
    assert {seat.id.version for seat in dearest.seats + other.seats} == {7}


def test_a_rejected_event_stores_nothing(service: EventsService) -> None:
    with pytest.raises(DomainError) as raised:
        service.event(prices={"VIP": 1})
    assert type(raised.value) is InvalidInput
    assert service.database.rows("SELECT 1 FROM event_service.events") == []


def test_an_event_cannot_be_in_a_hall_of_another_venue(service: EventsService) -> None:
    with pytest.raises(DomainError) as raised:
        service.event(venue_id=service.venue(), hall_id=service.hall(service.venue()))
    assert type(raised.value) is NotFound


def test_an_arena_of_fifty_thousand_seats_is_on_sale_after_one_request(service: EventsService) -> None:
    venue_id = service.venue()
    hall_id = service.hall(venue_id, ARENA)
    event = service.event(venue_id=venue_id, hall_id=hall_id, prices=ARENA_PRICES)

    assert event.seat_count == 50_000
    assert service.events.event(event.id).remaining == dict.fromkeys(GRADES, 12_500)
    counted = service.database.row(
        "SELECT count(DISTINCT number) AS numbers FROM event_service.seats WHERE event_id = %s", (event.id,)
    )
    assert counted == {"numbers": 50_000}


@pytest.mark.parametrize(
    ("now", "status"),
    [
        (SALE_STARTS - timedelta(microseconds=1), "UPCOMING"),
        (SALE_STARTS, "ONGOING"),
        (SALE_ENDS, "ONGOING"),
        (EVENT_ENDS - timedelta(microseconds=1), "ONGOING"),
        (EVENT_ENDS, "ENDED"),
    ],
)
def test_the_status_of_an_event_follows_from_the_time(service: EventsService, now: datetime, status: str) -> None:
    event_id = service.event().id
    service.now = now

    assert service.events.event(event_id).status == status
    for searched in ("UPCOMING", "ONGOING", "ENDED", "CANCELLED"):
        assert len(service.titles(status=searched)) == (searched == status)


def test_a_cancelled_event_is_cancelled_at_any_time(service: EventsService) -> None:
    event_id = service.event().id
    service.cancel(event_id, SALE_STARTS)
    for now in (SALE_STARTS - timedelta(days=1), SALE_STARTS, EVENT_ENDS):
        service.now = now
        assert service.events.event(event_id).status == "CANCELLED"


def test_an_event_shows_its_venue_and_hall_and_the_seats_left_of_each_grade(service: EventsService) -> None:
    event = service.event()
    first, second, third, *_ = service.seat_ids(event.id)
    service.sell(first, second, third)

    detail = service.events.event(event.id)
    assert list(detail.remaining.items()) == [("VIP", 0), ("S", 5)]
    assert (detail.venue.city, detail.hall.capacity, detail.title) == ("Seoul", 8, "Concert")


@pytest.mark.parametrize("read", ["event", "sale_terms"])
def test_an_unknown_event_is_not_found(service: EventsService, read: str) -> None:
    with pytest.raises(DomainError) as raised:
        getattr(service.events, read)(EventId(new_id()))
    assert type(raised.value) is NotFound


def test_the_seats_of_an_unknown_event_are_not_found(service: EventsService) -> None:
    for call in (
        lambda: service.seats.layout(EventId(new_id())),
        lambda: service.seats.statuses(EventId(new_id())),
        lambda: service.seats.offer(EventId(new_id()), []),
    ):
        with pytest.raises(DomainError) as raised:
            call()
        assert type(raised.value) is NotFound


def test_events_that_start_at_the_same_time_are_each_on_one_page(service: EventsService) -> None:
    venue_id = service.venue()
    hall_id = service.hall(venue_id)
    event_ids = sorted(service.event(venue_id=venue_id, hall_id=hall_id).id for _ in range(7))
    for sort in ("startsAt", "-startsAt", "saleStartsAt", "title"):
        pages = [service.page(page=page, size=3, sort=sort) for page in range(4)]
        seen = [event.id for page in pages for event in page.items]
        assert seen == (event_ids[::-1] if sort == "-startsAt" else event_ids), "ids decide between equal values"
        assert {page.total for page in pages} == {7}, "the page after the last has the total too"


def test_events_are_sorted_as_requested(service: EventsService) -> None:
    day = timedelta(days=1)
    service.event(title="B", starts_at=EVENT_STARTS - day, sale_starts_at=SALE_STARTS + day)
    service.event(title="A", starts_at=EVENT_STARTS, sale_starts_at=SALE_STARTS + 2 * day)
    service.event(title="C", starts_at=EVENT_STARTS - 2 * day, sale_starts_at=SALE_STARTS)
    assert service.titles() == ["C", "B", "A"]
    assert service.titles(sort="-startsAt") == ["A", "B", "C"]
    assert service.titles(sort="saleStartsAt") == ["C", "B", "A"]
    assert service.titles(sort="title") == ["A", "B", "C"]


def test_events_are_found_by_city_by_time_and_by_words_of_title_or_artist(service: EventsService) -> None:
    service.event(title="Spring Night", artist="Han River Philharmonic")
    service.event(title="100% Jazz_Live", venue_id=service.venue(city="Busan"), starts_at=EVENT_STARTS - timedelta(1))

    assert service.titles(city="Busan") == ["100% Jazz_Live"]
    assert service.titles(q="spring") == ["Spring Night"]
    assert service.titles(q="PHILHARMONIC") == ["Spring Night"]
    assert service.titles(q="0% jazz_") == ["100% Jazz_Live"]
    assert service.titles(q="%") == ["100% Jazz_Live"], "a wildcard is matched literally"
    assert service.titles(q="Spring_Night") == []
    assert service.titles(q="\\") == []
    assert service.titles(**{"from": EVENT_STARTS}) == ["Spring Night"]
    assert service.titles(to=EVENT_STARTS) == ["100% Jazz_Live"]


def test_venues_are_listed_by_name_with_their_halls(service: EventsService) -> None:
    concert_hall = service.venue(name="Concert Hall", city="Busan")
    arena = service.venue(name="Arena")
    service.hall(arena)

    page = service.venues.page(None, limit=1, offset=0)
    assert ([venue.id for venue in page.items], page.total) == ([arena], 2)
    assert [hall.capacity for hall in page.items[0].halls] == [8]
    assert [venue.id for venue in service.venues.page("Busan", limit=20, offset=0).items] == [concert_hall]
    assert service.venues.venue(arena).halls[0].seat_template == TEMPLATE


def test_a_hall_needs_its_venue(service: EventsService) -> None:
    with pytest.raises(DomainError) as raised:
        service.hall(VenueId(new_id()))
    assert type(raised.value) is NotFound


def test_the_catalogue_offers_only_requested_seats_of_its_event(service: EventsService) -> None:
    event_id, other_event_id = service.event().id, service.event().id
    first, second, *_ = service.seat_ids(event_id)
    service.sell(second)

    offered = service.seats.offer(event_id, [second, first, service.seat_ids(other_event_id)[0], SeatId(new_id())])
    assert [(seat.id, seat.number, seat.price, seat.status) for seat in offered.seats] == [
        (first, "A-1-1", 150_000, "AVAILABLE"),
        (second, "A-1-2", 150_000, "SOLD"),
    ]
    assert (offered.seat_count, offered.max_seats, offered.cancelled) == (8, 4, False)
    assert offered.max_seats_per == "PERSON"
    assert service.seats.offer(event_id, []).seats == []


def test_sold_seats_are_read_by_event(service: EventsService) -> None:
    event_id, other_event_id = service.event().id, service.event().id
    sold, *_ = service.seat_ids(event_id)
    service.sell(sold)
    assert service.reads.sold_seats(event_id) == [sold]
    assert service.reads.sold_seats(other_event_id) == []


def test_an_event_is_sold_out_once_no_seat_is_left(service: EventsService) -> None:
    event_id = service.event().id
    *seat_ids, last = service.seat_ids(event_id)
    service.sell(*seat_ids)
    assert not service.events.sale_terms(event_id).sold_out
    service.sell(last)
    assert service.events.sale_terms(event_id).sold_out


@pytest.mark.parametrize("when", [SALE_STARTS - timedelta(days=1), SALE_STARTS + timedelta(days=1)])
def test_the_sale_of_a_cancelled_event_ends_at_the_cancellation(service: EventsService, when: datetime) -> None:
    event_id = service.event().id
    service.cancel(event_id, when)
    terms = service.events.sale_terms(event_id)
    assert terms.sale_starts_at <= terms.sale_ends_at == when


def test_the_sale_of_an_event_keeps_its_times_until_a_cancellation(service: EventsService) -> None:
    terms = service.events.sale_terms(service.event().id)
    assert (terms.sale_starts_at, terms.sale_ends_at) == (SALE_STARTS, SALE_ENDS)
    assert (terms.queue_capacity, terms.admission_per_second) == (50_000, 10)
