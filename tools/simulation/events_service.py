"""The events service on real stores, with a clock that the test sets."""

from datetime import UTC, datetime
from typing import Any

from common.contracts.reservation_counts import ReservationCountsResponse
from common.domain.clock import new_id
from common.domain.ids import EventId, HallId, SeatId, UserId, VenueId
from common.messaging.outbox import Outbox
from common.stores.postgres import Database
from functions.events.adapters.event_repository import EventRepository
from functions.events.adapters.read_cache_redis import CachedResponse, Load, ReadCache
from functions.events.adapters.seat_repository import SeatRepository
from functions.events.adapters.seat_sale_repository import SeatSaleRepository
from functions.events.adapters.venue_repository import VenueRepository
from functions.events.domain.entity_tag import ANY_VERSION, ExpectedVersions
from functions.events.domain.event import Event, EventPage
from functions.events.domain.event_edit import EventEdit
from functions.events.domain.event_proposal import EventProposal
from functions.events.domain.event_search import EventSearch
from functions.events.domain.seat_template import GRADES, SeatTemplate, Section
from functions.events.handlers.responses.event_response import render_event, render_page
from functions.events.handlers.responses.seat_response import SeatListResponse
from functions.events.usecases.event_admin import EventAdmin
from functions.events.usecases.event_deletion import EventDeletion
from functions.events.usecases.event_reader import EventReader
from functions.events.usecases.seat_sales import SeatSaleMessages, SeatSales
from functions.events.usecases.venue_admin import VenueAdmin

SALE_STARTS = datetime(2026, 12, 1, 11, tzinfo=UTC)
SALE_ENDS = datetime(2027, 1, 15, 9, tzinfo=UTC)
EVENT_STARTS = datetime(2027, 1, 15, 10, tzinfo=UTC)
EVENT_ENDS = datetime(2027, 1, 15, 12, tzinfo=UTC)
TEMPLATE = SeatTemplate(
    sections=[
        Section(name="B", grade="S", rows=2, seats_per_row=3),
        Section(name="A", grade="VIP", rows=1, seats_per_row=2),
    ]
)


ARENA = SeatTemplate(
    sections=[Section(name=f"S{n}", grade=GRADES[n % 4], rows=50, seats_per_row=50) for n in range(20)]
)
ARENA_PRICES = {"VIP": 4, "S": 3, "A": 2, "B": 1}


class NoCache(ReadCache):
    """Every read loads, and bypasses any replica."""

    def __init__(self) -> None:
        pass

    def get(self, key: str, field: str, load: Load) -> CachedResponse:
        return load(True).response

    def drop(self, *keys: str) -> None:
        pass


class NoReservations:
    """The reservations service, without any reservation."""

    def counts(self, event_id: EventId) -> ReservationCountsResponse:
        return ReservationCountsResponse(
            event_id=event_id, pending=0, confirmed=0, event_cancelled=0, refund_amount=0, seen_through=True
        )


class Reader(EventReader):
    """Renders responses as the handlers do."""

    def read_page(self, search: EventSearch) -> CachedResponse:
        return self.page(search, lambda page: render_page(page, search))

    def read_event(self, event_id: EventId) -> CachedResponse:
        return self.event(event_id, render_event)


def seat_sales() -> SeatSales:
    return SeatSales(SeatSaleRepository())


def seat_messages(cache: ReadCache) -> SeatSaleMessages:
    return SeatSaleMessages(seat_sales(), cache)


class EventsService:
    """The events service on one database, by default without a cache."""

    def __init__(self, database: Database, cache: ReadCache | None = None, reader: Database | None = None) -> None:
        self.now = SALE_STARTS
        self.database = database
        self.venues = VenueRepository(database)
        self.events = EventRepository(database, self.clock, reader)
        self.seats = SeatRepository(database, reader)
        self.cache = cache or NoCache()
        self.reads = Reader(self.events, self.seats, self.cache, self.clock)
        self.outbox = Outbox(self.clock)
        self.venue_admin = VenueAdmin(database, self.venues, self.cache, self.clock, new_id)
        self.admin = EventAdmin(database, self.events, self.outbox, self.cache, self.clock, new_id)

    def clock(self) -> datetime:
        return self.now

    def venue(self, city: str = "Seoul", name: str = "Arts Centre") -> VenueId:
        return self.venue_admin.create_venue(name, "1 Main Street", city).id

    def hall(self, venue_id: VenueId, template: SeatTemplate = TEMPLATE) -> HallId:
        return self.venue_admin.create_hall(venue_id, "Main Hall", template).id

    def event(self, **changes: Any) -> Event:
        if "venue_id" not in changes:
            changes["venue_id"] = self.venue()
        if "hall_id" not in changes:
            changes["hall_id"] = self.hall(changes["venue_id"])
        proposal: dict[str, Any] = {
            "title": "Concert",
            "artist": "Artist",
            "starts_at": EVENT_STARTS,
            "ends_at": EVENT_ENDS,
            "sale_starts_at": SALE_STARTS,
            "sale_ends_at": SALE_ENDS,
            "prices": {"VIP": 150_000, "S": 120_000},
        }
        return self.admin.create(EventProposal.model_validate(proposal | changes))

    def edit(self, event_id: EventId, expected: ExpectedVersions = ANY_VERSION, **changes: Any) -> Event:
        return self.admin.edit(event_id, EventEdit.model_validate(changes), expected)

    def cancel(self, event_id: EventId, at: datetime) -> None:
        now, self.now = self.now, at
        self.admin.cancel(event_id, "storm", UserId(new_id()), ANY_VERSION)
        self.now = now

    def delete(self, event_id: EventId) -> None:
        deletion = EventDeletion(self.database, self.events, self.outbox, self.cache, self.clock, NoReservations())
        deletion.delete(event_id, UserId(new_id()), ANY_VERSION)

    def sell(self, *seat_ids: SeatId) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE event_service.seats SET claims = ARRAY[%s::uuid] WHERE id = ANY (%s)",
                (new_id(), list(seat_ids)),
            )

    def seat_ids(self, event_id: EventId) -> list[SeatId]:
        return [seat.id for grade in self.seat_list(event_id).grades for seat in grade.seats]

    def seat_list(self, event_id: EventId) -> SeatListResponse:
        """The seat list that every visitor reads."""
        return SeatListResponse.model_validate_json(self.reads.seat_list(self.reads.seat_statuses(event_id)))

    def titles(self, **search: Any) -> list[str]:
        return [event.title for event in self.page(**search).items]

    def page(self, **search: Any) -> EventPage:
        return self.events.page(EventSearch.model_validate(search))
