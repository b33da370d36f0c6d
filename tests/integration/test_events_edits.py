"""What admins do to venues, halls and events, alone and concurrently, on a real Postgres."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from common.domain.clock import new_id
from common.domain.ids import UserId
from common.domain.shared_errors import DomainError, InvalidInput, NotFound
from common.stores.postgres import Database
from functions.events.domain.entity_tag import ANY_VERSION, ExpectedVersions
from functions.events.domain.errors import EventIsCancelled, HallInUse, PreconditionFailed, SaleStarted, VenueInUse
from functions.events.domain.event import Event
from functions.events.domain.event_edit import EventEdit
from functions.events.domain.seat_template import SeatTemplate, Section
from functions.events.usecases.event_admin import EventAdmin
from tests.support.concurrently import concurrently
from tools.simulation.events_service import EVENT_ENDS, SALE_STARTS, TEMPLATE, EventsService

BEFORE_SALE = SALE_STARTS - timedelta(days=1)
SMALLER = SeatTemplate(sections=[Section(name="A", grade="VIP", rows=1, seats_per_row=3)])


@pytest.fixture
def service(database_of: Callable[[str], Database]) -> EventsService:
    events_service = EventsService(database_of("event_service"))
    events_service.now = BEFORE_SALE
    return events_service


def expect_error(kind: type[DomainError], call: Callable[[], object]) -> Any:
    with pytest.raises(DomainError) as raised:
        call()
    assert type(raised.value) is kind
    return raised.value.details


# -- events -----------------------------------------------------------------------------------------------------------


def test_of_several_edits_of_one_version_only_one_succeeds(
    service: EventsService, database_of: Callable[[str], Database]
) -> None:
    event_id = service.event().id
    admins = [EventsService(database_of("event_service")) for _ in range(6)]
    first = ExpectedVersions(frozenset({1}))

    def edit(number: int) -> Callable[[], str]:
        return lambda: admins[number].edit(event_id, first, title=f"Edit {number}").title

    for admin in admins:
        admin.now = BEFORE_SALE
    outcomes = concurrently([edit(number) for number in range(6)])
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert all(
        isinstance(each, DomainError) and type(each) is PreconditionFailed for each in outcomes if each != winner
    )
    after = service.events.event(event_id)
    assert (after.title, after.version) == (winner, 2)


def test_an_edit_without_a_version_succeeds(service: EventsService) -> None:
    event_id = service.event().id
    service.edit(event_id, title="One")
    assert service.edit(event_id, artist="Two").version == 3


def test_an_edit_that_changes_nothing_keeps_the_version(service: EventsService) -> None:
    event = service.event()
    assert service.edit(event.id, title=event.title, prices=event.prices) == event


def test_another_hall_replaces_the_seats(service: EventsService) -> None:
    event = service.event()
    before = service.seat_ids(event.id)
    hall_id = service.hall(event.venue_id, SMALLER)
    moved = service.edit(event.id, hall_id=hall_id, prices={"VIP": 7})

    assert (moved.seat_count, moved.hall_id) == (3, hall_id)
    (grade,) = service.seat_list(event.id).grades
    assert (grade.price, [seat.number for seat in grade.seats]) == (7, ["A-1-1", "A-1-2", "A-1-3"])
    assert not set(service.seat_ids(event.id)) & set(before)
    assert service.seats.statuses(event.id)[0].layout_version == 2


def test_other_prices_reprice_the_seats(service: EventsService) -> None:
    event = service.event()
    before = service.seat_ids(event.id)
    service.edit(event.id, prices={"VIP": 9, "S": 8})
    assert [grade.price for grade in service.seat_list(event.id).grades] == [9, 8]
    assert service.seat_ids(event.id) == before
    (offer,) = service.seats.offer(event.id, before[:1]).seats
    assert offer.price == 9


def test_reservations_hears_what_the_most_seats_count_for(service: EventsService) -> None:
    event = service.event()
    assert service.seats.offer(event.id, []).max_seats_per == "PERSON"
    assert service.edit(event.id, max_seats_per="RESERVATION").max_seats_per == "RESERVATION"
    assert service.seats.offer(event.id, []).max_seats_per == "RESERVATION"
    service.now = SALE_STARTS
    details = expect_error(SaleStarted, lambda: service.edit(event.id, max_seats_per="PERSON"))
    assert details == {"fields": ["maxSeatsPer"]}


def test_an_invalid_edit_changes_nothing(service: EventsService) -> None:
    event = service.event()
    invalid: list[dict[str, Any]] = [
        {"ends_at": event.starts_at},
        {"prices": {"VIP": 1}},
        {"sale_ends_at": event.sale_starts_at},
    ]
    for edit in invalid:
        expect_error(InvalidInput, partial(service.edit, event.id, title="New", **edit))
    expect_error(NotFound, lambda: service.edit(event.id, hall_id=service.hall(service.venue())))
    assert service.events.event(event.id).version == 1


def test_after_the_sale_has_started_only_some_fields_can_change(service: EventsService) -> None:
    event = service.event()
    service.now = SALE_STARTS
    details = expect_error(SaleStarted, lambda: service.edit(event.id, title="New", artist="New", max_seats=1))
    assert details == {"fields": ["artist", "maxSeats"]}
    late = service.edit(event.id, title="New", sale_ends_at=event.sale_ends_at + timedelta(minutes=1), artist="Artist")
    assert (late.title, late.artist) == ("New", "Artist")


def test_an_edit_of_seats_is_rolled_back_if_the_sale_starts_meanwhile(service: EventsService) -> None:
    event = service.event()
    times = iter([BEFORE_SALE, SALE_STARTS])
    clock = lambda: next(times, SALE_STARTS)  # noqa: E731
    admin = EventAdmin(service.database, service.events, service.outbox, service.cache, clock, new_id)
    edit = EventEdit.model_validate({"prices": {"VIP": 1, "S": 1}})
    expect_error(SaleStarted, lambda: admin.edit(event.id, edit, ANY_VERSION))
    assert service.events.event(event.id).prices == event.prices


def test_a_cancelled_event_cannot_be_edited(service: EventsService) -> None:
    event_id = service.event().id
    service.cancel(event_id, BEFORE_SALE)
    expect_error(EventIsCancelled, lambda: service.edit(event_id, title="New"))


def test_a_deleted_event_is_not_found(service: EventsService) -> None:
    event_id = service.event().id
    service.delete(event_id)
    assert service.page().total == 0
    for call in (
        lambda: service.events.event(event_id),
        lambda: service.events.sale_terms(event_id),
        lambda: service.seats.offer(event_id, []),
        lambda: service.seats.statuses(event_id),
        lambda: service.seats.layout(event_id),
        lambda: service.edit(event_id, title="New"),
        lambda: service.admin.cancel(event_id, "again", UserId(new_id()), ANY_VERSION),
        lambda: service.delete(event_id),
    ):
        expect_error(NotFound, call)


# -- venues and halls -------------------------------------------------------------------------------------------------


def test_an_edited_venue_shows_in_its_events(service: EventsService) -> None:
    event = service.event()
    edited = service.venue_admin.edit_venue(event.venue_id, {"city": "Busan"}, ExpectedVersions(frozenset({1})))
    assert (edited.city, edited.name, edited.version) == ("Busan", "Arts Centre", 2)
    assert service.events.event(event.id).city == "Busan"
    stale = ExpectedVersions(frozenset({1}))
    expect_error(PreconditionFailed, lambda: service.venue_admin.edit_venue(event.venue_id, {"city": "X"}, stale))
    assert service.venue_admin.edit_venue(event.venue_id, {"city": "Busan"}, ANY_VERSION).version == 2


@pytest.mark.parametrize("over", ["ended", "cancelled", "deleted"])
def test_a_venue_and_a_hall_are_in_use_until_their_last_event_is_over(service: EventsService, over: str) -> None:
    event = service.event()
    venue_id, hall_id = event.venue_id, event.hall_id
    expect_error(VenueInUse, lambda: service.venue_admin.delete_venue(venue_id, ANY_VERSION))
    expect_error(HallInUse, lambda: service.venue_admin.delete_hall(venue_id, hall_id, ANY_VERSION))
    expect_error(HallInUse, lambda: service.venue_admin.edit_hall(venue_id, hall_id, None, SMALLER, ANY_VERSION))

    if over == "ended":
        service.now = EVENT_ENDS
    elif over == "cancelled":
        service.cancel(event.id, BEFORE_SALE)
    else:
        service.delete(event.id)
    service.venue_admin.edit_hall(venue_id, hall_id, None, SMALLER, ANY_VERSION)
    service.venue_admin.delete_hall(venue_id, hall_id, ANY_VERSION)
    service.venue_admin.delete_venue(venue_id, ANY_VERSION)
    expect_error(NotFound, lambda: service.venues.venue(venue_id))
    assert service.venues.page(None, limit=20, offset=0).total == 0
    if over != "deleted":
        assert service.events.event(event.id).venue.name == "Arts Centre", "an old event still shows its venue"
        assert len(service.seat_ids(event.id)) == 8, "its seats are from the hall's old template"


def test_a_hall_in_use_can_be_renamed(service: EventsService) -> None:
    event = service.event()
    renamed = service.venue_admin.edit_hall(event.venue_id, event.hall_id, "Great Hall", TEMPLATE, ANY_VERSION)
    assert (renamed.name, renamed.version, renamed.seat_template) == ("Great Hall", 2, TEMPLATE)
    assert service.events.event(event.id).hall_name == "Great Hall"


def test_a_hall_without_upcoming_events_can_get_other_seats(service: EventsService) -> None:
    venue_id = service.venue()
    hall_id = service.hall(venue_id)
    assert service.venue_admin.edit_hall(venue_id, hall_id, None, SMALLER, ANY_VERSION).capacity == 3
    stale = ExpectedVersions(frozenset({1}))
    expect_error(PreconditionFailed, lambda: service.venue_admin.edit_hall(venue_id, hall_id, "X", None, stale))
    expect_error(PreconditionFailed, lambda: service.venue_admin.delete_hall(venue_id, hall_id, stale))
    expect_error(NotFound, lambda: service.venue_admin.edit_hall(service.venue(), hall_id, "X", None, ANY_VERSION))


def test_no_event_is_created_in_a_venue_that_is_being_deleted(
    service: EventsService, database_of: Callable[[str], Database]
) -> None:
    others = [EventsService(database_of("event_service")) for _ in range(2)]
    for other in others:
        other.now = BEFORE_SALE
    for _ in range(8):
        venue_id = service.venue()
        hall_id = service.hall(venue_id)
        calls: list[Callable[[], object]] = [
            partial(others[0].event, venue_id=venue_id, hall_id=hall_id),
            partial(others[1].venue_admin.delete_venue, venue_id, ANY_VERSION),
        ]
        created, deleted = concurrently(calls)
        if isinstance(created, DomainError):
            assert type(created) is NotFound
            assert deleted is None
        else:
            assert isinstance(created, Event)
            assert isinstance(deleted, DomainError)
            assert type(deleted) is VenueInUse
