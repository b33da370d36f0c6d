"""What every visitor reads of events: cached responses, loaded from Postgres when needed (EVT-004 to EVT-006, EVT-017).

Callers pass the function that renders a domain object as JSON, since the cache keeps JSON.
"""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha1

from common.domain.clock import Clock
from common.domain.ids import EventId, SeatId
from common.domain.model import Model
from common.domain.shared_errors import ServiceUnavailable
from functions.events.adapters.event_repository import EventRepository
from functions.events.adapters.read_cache_redis import (
    LIST_KEY,
    CachedResponse,
    LoadResult,
    ReadCache,
    event_key,
    layout_key,
    seats_key,
)
from functions.events.adapters.seat_repository import SeatRepository
from functions.events.domain.entity_tag import digest, etag
from functions.events.domain.errors import SeatListTooLarge
from functions.events.domain.event import EventDetail, EventPage
from functions.events.domain.event_search import EventSearch
from functions.events.domain.freshness import around_sale, freshness
from functions.events.domain.seat_layout import SeatLayout, SeatList, SeatStatuses

MAX_SEAT_LISTS = 4  # in this execution environment; one of 50,000 seats takes about 15 MB
MAX_RESPONSE_BYTES = 6_000_000  # Lambda's limit is 6,291,556, and the object around a body takes some


class EventReader:
    def __init__(self, events: EventRepository, seats: SeatRepository, cache: ReadCache, clock: Clock) -> None:
        self._events = events
        self._seats = seats
        self._cache = cache
        self._clock = clock
        self._lists: OrderedDict[EventId, SeatList] = OrderedDict()

    def page(self, search: EventSearch, render: Callable[[EventPage], str]) -> CachedResponse:
        """A page of events, tagged by its content."""

        def load(recent: bool) -> LoadResult:
            now = self._clock()
            page = self._events.page(search, recent=recent)
            text = render(page)
            horizon = page.horizon
            changes_at = [horizon.next_change] if horizon.next_change else []
            return LoadResult(
                CachedResponse(f'"{digest(text)}"', text),
                freshness(now, around_sale=horizon.around_sale, changes_at=changes_at),
            )

        return self._cache.get(LIST_KEY, sha1(search.to_json().encode(), usedforsecurity=False).hexdigest(), load)

    def event(self, event_id: EventId, render: Callable[[EventDetail], str]) -> CachedResponse:
        """An event, tagged by its version and its content. Raises NotFound."""

        def load(recent: bool) -> LoadResult:
            now = self._clock()
            event = self._events.event(event_id, recent=recent)
            text = render(event)
            return LoadResult(
                CachedResponse(etag(event.version, text), text),
                freshness(
                    now,
                    around_sale=around_sale(event.sale_starts_at, now),
                    changes_at=() if event.status == "CANCELLED" else (event.sale_starts_at, event.ends_at),
                ),
            )

        return self._cache.get(event_key(event_id), "detail", load)

    def seat_statuses(self, event_id: EventId) -> SeatStatuses:
        """Raises NotFound."""

        def load(recent: bool) -> LoadResult:
            now = self._clock()
            statuses, sale_starts_at = self._seats.statuses(event_id, recent=recent)
            return _loaded(statuses, statuses.etag, around=around_sale(sale_starts_at, now), clock=self._clock)

        return SeatStatuses.model_validate_json(self._cache.get(seats_key(event_id), "statuses", load).json)

    def current_seat_layout(self, event_id: EventId) -> tuple[int, CachedResponse]:
        """The layout and its version. Raises as `seat_layout`."""
        version = self.seat_statuses(event_id).layout_version
        return version, self.seat_layout(event_id, version)

    def seat_layout(self, event_id: EventId, version: int) -> CachedResponse:
        """The layout of this version. Raises NotFound, and ServiceUnavailable if it is changing at this moment."""

        def load(_recent: bool) -> LoadResult:
            layout = self._seats.layout(event_id)
            if layout.version != version:
                # It changed a moment ago, or the drop after its change was lost: the next read finds the new one.
                self._cache.drop(seats_key(event_id), event_key(event_id))
                raise ServiceUnavailable(retry_after=1)
            return _loaded(layout, f'"{version}"', around=False, clock=self._clock)

        return self._cache.get(layout_key(event_id), f"v{version}", load)

    def seat_list(self, statuses: SeatStatuses) -> str:
        """The plain list as JSON. Raises SeatListTooLarge if no response can carry it."""
        text = self._seat_list(statuses.event_id, statuses.layout_version).to_json(statuses)
        # Inside the function's result, which is JSON too, every quotation mark takes two bytes.
        if len(text.encode()) + text.count('"') > MAX_RESPONSE_BYTES:
            raise SeatListTooLarge(seatCount=statuses.seat_count)
        return text

    def sold_seats(self, event_id: EventId) -> list[SeatId]:
        """Raises NotFound."""
        statuses = self.seat_statuses(event_id)
        if statuses.sold_count == 0:
            return []
        return self._seat_list(event_id, statuses.layout_version).sold_ids(statuses)

    def _seat_list(self, event_id: EventId, layout_version: int) -> SeatList:
        """Kept in this execution environment, too: a layout of one version never changes."""
        made = self._lists.get(event_id)
        if made is None or made.version != layout_version:
            text = self.seat_layout(event_id, layout_version).json
            made = self._lists[event_id] = SeatList(SeatLayout.model_validate_json(text))
            while len(self._lists) > MAX_SEAT_LISTS:
                self._lists.popitem(last=False)
        self._lists.move_to_end(event_id)
        return made


def _loaded(model: Model, tag: str, *, around: bool, clock: Clock) -> LoadResult:
    return LoadResult(CachedResponse(tag, model.to_json()), freshness(clock(), around_sale=around))
