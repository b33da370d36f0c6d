"""What admins do to venues, halls and events, alone and at once, on a real Postgres."""

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
from tests.concurrently import concurrently
from tools.simulation.events_service import SALE_STARTS, SHOW_ENDS, TEMPLATE, Programme

BEFORE_SALE = SALE_STARTS - timedelta(days=1)
SMALLER = SeatTemplate(sections=[Section(name="A", grade="VIP", rows=1, seats_per_row=3)])


@pytest.fixture
def programme(database_of: Callable[[str], Database]) -> Programme:
    made = Programme(database_of("event_service"))
    made.now = BEFORE_SALE
    return made


def refused(problem: type[DomainError], call: Callable[[], object]) -> Any:
    with pytest.raises(DomainError) as refusal:
        call()
    assert type(refusal.value) is problem
    return refusal.value.details


# -- events -----------------------------------------------------------------------------------------------------------


def test_of_two_edits_of_one_version_the_second_is_stale(
    programme: Programme, database_of: Callable[[str], Database]
) -> None:
    event_id = programme.event().id
    admins = [Programme(database_of("event_service")) for _ in range(6)]
    first = ExpectedVersions(frozenset({1}))

    def edit(number: int) -> Callable[[], str]:
        return lambda: admins[number].edit(event_id, first, title=f"Edit {number}").title

    for admin in admins:
        admin.now = BEFORE_SALE
    outcomes = concurrently([edit(number) for number in range(6)])
    (won,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert all(isinstance(each, DomainError) and type(each) is PreconditionFailed for each in outcomes if each != won)
    after = programme.events.event(event_id)
    assert (after.title, after.version) == (won, 2)


def test_an_edit_that_names_no_version_goes_through(programme: Programme) -> None:
    event_id = programme.event().id
    programme.edit(event_id, title="One")
    assert programme.edit(event_id, artist="Two").version == 3


def test_an_edit_that_changes_nothing_is_no_new_version(programme: Programme) -> None:
    event = programme.event()
    assert programme.edit(event.id, title=event.title, prices=event.prices) == event


def test_another_hall_is_another_set_of_seats(programme: Programme) -> None:
    event = programme.event()
    before = programme.seat_ids(event.id)
    hall_id = programme.hall(event.venue_id, SMALLER)
    moved = programme.edit(event.id, hall_id=hall_id, prices={"VIP": 7})

    assert (moved.seat_count, moved.hall_id) == (3, hall_id)
    (grade,) = programme.seat_list(event.id).grades
    assert (grade.price, [seat.number for seat in grade.seats]) == (7, ["A-1-1", "A-1-2", "A-1-3"])
    assert not set(programme.seat_ids(event.id)) & set(before)
    assert programme.seats.statuses(event.id)[0].layout_version == 2


def test_other_prices_are_the_seats_prices(programme: Programme) -> None:
    event = programme.event()
    before = programme.seat_ids(event.id)
    programme.edit(event.id, prices={"VIP": 9, "S": 8})
    assert [grade.price for grade in programme.seat_list(event.id).grades] == [9, 8]
    assert programme.seat_ids(event.id) == before
    (offer,) = programme.seats.offer(event.id, before[:1]).seats
    assert offer.price == 9


def test_an_edit_that_makes_no_sense_changes_nothing(programme: Programme) -> None:
    event = programme.event()
    nonsense: list[dict[str, Any]] = [
        {"ends_at": event.starts_at},
        {"prices": {"VIP": 1}},
        {"sale_ends_at": event.sale_starts_at},
    ]
    for edit in nonsense:
        refused(InvalidInput, partial(programme.edit, event.id, title="New", **edit))
    refused(NotFound, lambda: programme.edit(event.id, hall_id=programme.hall(programme.venue())))
    assert programme.events.event(event.id).version == 1


def test_once_the_sale_has_started_what_was_bought_stays_what_it_was(programme: Programme) -> None:
    event = programme.event()
    programme.now = SALE_STARTS
    details = refused(SaleStarted, lambda: programme.edit(event.id, title="New", artist="New", max_seats=1))
    assert details == {"fields": ["artist", "maxSeats"]}
    late = programme.edit(
        event.id, title="New", sale_ends_at=event.sale_ends_at + timedelta(minutes=1), artist="Artist"
    )
    assert (late.title, late.artist) == ("New", "Artist")


def test_a_sale_that_starts_during_an_edit_of_seats_undoes_it(programme: Programme) -> None:
    event = programme.event()
    times = iter([BEFORE_SALE, SALE_STARTS])
    clock = lambda: next(times, SALE_STARTS)  # noqa: E731
    admin = EventAdmin(programme.database, programme.events, programme.outbox, programme.cache, clock, new_id)
    edit = EventEdit.model_validate({"prices": {"VIP": 1, "S": 1}})
    refused(SaleStarted, lambda: admin.edit(event.id, edit, ANY_VERSION))
    assert programme.events.event(event.id).prices == event.prices


def test_a_cancelled_event_is_not_edited(programme: Programme) -> None:
    event_id = programme.event().id
    programme.cancel(event_id, BEFORE_SALE)
    refused(EventIsCancelled, lambda: programme.edit(event_id, title="New"))


def test_a_deleted_event_is_nowhere(programme: Programme) -> None:
    event_id = programme.event().id
    programme.delete(event_id)
    assert programme.page().total == 0
    for ask in (
        lambda: programme.events.event(event_id),
        lambda: programme.events.sale_terms(event_id),
        lambda: programme.seats.offer(event_id, []),
        lambda: programme.seats.statuses(event_id),
        lambda: programme.seats.layout(event_id),
        lambda: programme.edit(event_id, title="New"),
        lambda: programme.admin.cancel(event_id, "again", UserId(new_id()), ANY_VERSION),
        lambda: programme.delete(event_id),
    ):
        refused(NotFound, ask)


# -- venues and halls -------------------------------------------------------------------------------------------------


def test_a_venue_is_edited_and_its_events_say_so(programme: Programme) -> None:
    event = programme.event()
    edited = programme.venue_admin.edit_venue(event.venue_id, {"city": "Busan"}, ExpectedVersions(frozenset({1})))
    assert (edited.city, edited.name, edited.version) == ("Busan", "Arts Centre", 2)
    assert programme.events.event(event.id).city == "Busan"
    stale = ExpectedVersions(frozenset({1}))
    refused(PreconditionFailed, lambda: programme.venue_admin.edit_venue(event.venue_id, {"city": "X"}, stale))
    assert programme.venue_admin.edit_venue(event.venue_id, {"city": "Busan"}, ANY_VERSION).version == 2


@pytest.mark.parametrize("over", ["ended", "cancelled", "deleted"])
def test_a_venue_and_a_hall_are_in_use_until_their_last_event_is_over(programme: Programme, over: str) -> None:
    event = programme.event()
    venue_id, hall_id = event.venue_id, event.hall_id
    refused(VenueInUse, lambda: programme.venue_admin.delete_venue(venue_id, ANY_VERSION))
    refused(HallInUse, lambda: programme.venue_admin.delete_hall(venue_id, hall_id, ANY_VERSION))
    refused(HallInUse, lambda: programme.venue_admin.edit_hall(venue_id, hall_id, None, SMALLER, ANY_VERSION))

    if over == "ended":
        programme.now = SHOW_ENDS
    elif over == "cancelled":
        programme.cancel(event.id, BEFORE_SALE)
    else:
        programme.delete(event.id)
    programme.venue_admin.edit_hall(venue_id, hall_id, None, SMALLER, ANY_VERSION)
    programme.venue_admin.delete_hall(venue_id, hall_id, ANY_VERSION)
    programme.venue_admin.delete_venue(venue_id, ANY_VERSION)
    refused(NotFound, lambda: programme.venues.venue(venue_id))
    assert programme.venues.page(None, limit=20, offset=0).total == 0
    if over != "deleted":
        assert programme.events.event(event.id).venue.name == "Arts Centre", "who was there still knows where"
        assert len(programme.seat_ids(event.id)) == 8, "made from the hall as it was"


def test_a_hall_in_use_may_be_called_something_else(programme: Programme) -> None:
    event = programme.event()
    renamed = programme.venue_admin.edit_hall(event.venue_id, event.hall_id, "Great Hall", TEMPLATE, ANY_VERSION)
    assert (renamed.name, renamed.version, renamed.seat_template) == ("Great Hall", 2, TEMPLATE)
    assert programme.events.event(event.id).hall_name == "Great Hall"


def test_a_hall_with_nothing_to_come_gets_other_seats(programme: Programme) -> None:
    venue_id = programme.venue()
    hall_id = programme.hall(venue_id)
    assert programme.venue_admin.edit_hall(venue_id, hall_id, None, SMALLER, ANY_VERSION).capacity == 3
    stale = ExpectedVersions(frozenset({1}))
    refused(PreconditionFailed, lambda: programme.venue_admin.edit_hall(venue_id, hall_id, "X", None, stale))
    refused(PreconditionFailed, lambda: programme.venue_admin.delete_hall(venue_id, hall_id, stale))
    refused(NotFound, lambda: programme.venue_admin.edit_hall(programme.venue(), hall_id, "X", None, ANY_VERSION))


def test_no_event_is_made_in_a_place_that_is_being_deleted(
    programme: Programme, database_of: Callable[[str], Database]
) -> None:
    others = [Programme(database_of("event_service")) for _ in range(2)]
    for other in others:
        other.now = BEFORE_SALE
    for _ in range(8):
        venue_id = programme.venue()
        hall_id = programme.hall(venue_id)
        calls: list[Callable[[], object]] = [
            partial(others[0].event, venue_id=venue_id, hall_id=hall_id),
            partial(others[1].venue_admin.delete_venue, venue_id, ANY_VERSION),
        ]
        made, deleted = concurrently(calls)
        if isinstance(made, DomainError):
            assert type(made) is NotFound
            assert deleted is None
        else:
            assert isinstance(made, Event)
            assert isinstance(deleted, DomainError)
            assert type(deleted) is VenueInUse
