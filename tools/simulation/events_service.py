"""The events service over real stores, with its clock in the test's hand."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from common.domain.clock import new_id
from common.http.page import Page
from common.stores.postgres import Database
from functions.events.adapters.event_repository import EventStore
from functions.events.adapters.read_cache_redis import Kept, Load, ReadCache
from functions.events.adapters.seat_repository import SeatStore
from functions.events.adapters.venue_repository import VenueStore
from functions.events.domain.entity_tag import ANY, Expected
from functions.events.domain.event_edit import EventEdit
from functions.events.domain.event_proposal import EventProposal
from functions.events.domain.event_search import EventSearch
from functions.events.domain.seat_template import GRADES, SeatTemplate, Section
from functions.events.handlers.responses.event_response import EventAnswer
from functions.events.handlers.responses.seat_response import EventSeatsAnswer
from functions.events.handlers.responses.venue_response import VenueSummary
from functions.events.usecases.event_reader import EventReads

SALE_STARTS = datetime(2026, 12, 1, 11, tzinfo=UTC)
SALE_ENDS = datetime(2027, 1, 15, 9, tzinfo=UTC)
SHOW_STARTS = datetime(2027, 1, 15, 10, tzinfo=UTC)
SHOW_ENDS = datetime(2027, 1, 15, 12, tzinfo=UTC)
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
    """Everybody loads, and past any replica."""

    def __init__(self) -> None:
        pass

    def get(self, key: str, field: str, load: Load) -> Kept:
        return load(True).kept

    def drop(self, *keys: str) -> None:
        pass


class Programme:
    """The events service over one database, without a cache unless it is given one."""

    def __init__(self, database: Database, cache: ReadCache | None = None, reader: Database | None = None) -> None:
        self.now = SALE_STARTS
        self.database = database
        self.venues = VenueStore(database, self.clock)
        self.events = EventStore(database, self.clock, reader)
        self.seats = SeatStore(database, reader)
        self.cache = cache or NoCache()
        self.reads = EventReads(self.events, self.seats, self.cache, self.clock)

    def clock(self) -> datetime:
        return self.now

    def venue(self, city: str = "Seoul", name: str = "Arts Centre") -> UUID:
        return self.venues.create(VenueSummary(id=new_id(), name=name, address="1 Main Street", city=city)).id

    def hall(self, venue_id: UUID, template: SeatTemplate = TEMPLATE) -> UUID:
        return self.venues.create_hall(new_id(), venue_id, "Main Hall", template).id

    def event(self, **changes: Any) -> EventAnswer:
        if "venue_id" not in changes:
            changes["venue_id"] = self.venue()
        if "hall_id" not in changes:
            changes["hall_id"] = self.hall(changes["venue_id"])
        proposal: dict[str, Any] = {
            "title": "Concert",
            "artist": "Artist",
            "starts_at": SHOW_STARTS,
            "ends_at": SHOW_ENDS,
            "sale_starts_at": SALE_STARTS,
            "sale_ends_at": SALE_ENDS,
            "prices": {"VIP": 150_000, "S": 120_000},
        }
        return self.events.create(new_id(), EventProposal.model_validate(proposal | changes))

    def edit(self, event_id: UUID, expected: Expected = ANY, **changes: Any) -> EventAnswer:
        return self.events.edit(event_id, EventEdit.model_validate(changes), expected)

    def cancel(self, event_id: UUID, at: datetime) -> None:
        now, self.now = self.now, at
        self.events.cancel(event_id, "storm", new_id())
        self.now = now

    def sell(self, *seat_ids: UUID) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE event_service.seats SET claims = ARRAY[%s::uuid] WHERE id = ANY (%s)",
                (new_id(), list(seat_ids)),
            )

    def seat_ids(self, event_id: UUID) -> list[UUID]:
        return [seat.id for grade in self.seat_list(event_id).grades for seat in grade.seats]

    def seat_list(self, event_id: UUID) -> EventSeatsAnswer:
        """The plain list, as everybody reads it."""
        return EventSeatsAnswer.model_validate_json(self.reads.seat_list(self.reads.seat_statuses(event_id)))

    def titles(self, **search: Any) -> list[str]:
        return [event.title for event in self.page(**search).items]

    def page(self, **search: Any) -> Page[EventAnswer]:
        return self.events.page(EventSearch.model_validate(search))[0]
