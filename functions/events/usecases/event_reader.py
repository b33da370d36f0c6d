"""What everybody reads of events, out of the cache or else out of Postgres (EVT-004 to EVT-006, EVT-017)."""

from collections import OrderedDict
from hashlib import sha1
from uuid import UUID

from common.domain.clock import Clock
from common.domain.model import Model
from common.domain.shared_errors import ServiceUnavailable
from functions.events.adapters.event_repository import EventStore
from functions.events.adapters.read_cache_redis import (
    LIST_KEY,
    Kept,
    Loaded,
    ReadCache,
    event_key,
    layout_key,
    seats_key,
)
from functions.events.adapters.seat_repository import SeatStore
from functions.events.domain.entity_tag import digest, etag
from functions.events.domain.errors import SeatListTooLarge
from functions.events.domain.event_search import EventSearch
from functions.events.domain.freshness import around_sale, freshness
from functions.events.domain.seat_layout import SeatLayoutAnswer, SeatList, SeatStatusesAnswer

LISTS_KEPT = 4  # of seats, in this container; one of 50,000 takes about 15 MB
LARGEST_ANSWER = 6_000_000  # bytes; Lambda's limit is 6,291,556, and the envelope around a body takes some


class EventReads:
    def __init__(self, events: EventStore, seats: SeatStore, cache: ReadCache, clock: Clock) -> None:
        self._events = events
        self._seats = seats
        self._cache = cache
        self._clock = clock
        self._lists: OrderedDict[UUID, SeatList] = OrderedDict()

    def page(self, search: EventSearch) -> Kept:
        """A `Page[EventAnswer]`, tagged by what it says."""

        def load(recent: bool) -> Loaded:
            now = self._clock()
            page, horizon = self._events.page(search, recent=recent)
            text = page.to_json()
            changes_at = [horizon.next_change] if horizon.next_change else []
            return Loaded(
                Kept(f'"{digest(text)}"', text),
                freshness(now, around_sale=horizon.around_sale, changes_at=changes_at),
            )

        return self._cache.get(LIST_KEY, sha1(search.to_json().encode(), usedforsecurity=False).hexdigest(), load)

    def event(self, event_id: UUID) -> Kept:
        """An `EventDetailAnswer`, tagged by its version and what it says. Raises NOT_FOUND."""

        def load(recent: bool) -> Loaded:
            now = self._clock()
            event = self._events.event(event_id, recent=recent)
            text = event.to_json()
            return Loaded(
                Kept(etag(event.version, text), text),
                freshness(
                    now,
                    around_sale=around_sale(event.sale_starts_at, now),
                    changes_at=() if event.status == "CANCELLED" else (event.sale_starts_at, event.ends_at),
                ),
            )

        return self._cache.get(event_key(event_id), "detail", load)

    def seat_statuses(self, event_id: UUID) -> SeatStatusesAnswer:
        """Which seats are sold. Raises NOT_FOUND."""

        def load(recent: bool) -> Loaded:
            now = self._clock()
            statuses, sale_starts_at = self._seats.statuses(event_id, recent=recent)
            return _loaded(statuses, statuses.tag, around=around_sale(sale_starts_at, now), clock=self._clock)

        return SeatStatusesAnswer.model_validate_json(self._cache.get(seats_key(event_id), "statuses", load).json)

    def seat_layout(self, event_id: UUID, version: int) -> Kept:
        """A `SeatLayoutAnswer` of this version. Raises NOT_FOUND, and ServiceUnavailable when it changes just now."""

        def load(_recent: bool) -> Loaded:
            layout = self._seats.layout(event_id)
            if layout.version != version:
                # Made anew this moment, or the drop that should have told us was lost: the next look finds it.
                self._cache.drop(seats_key(event_id), event_key(event_id))
                raise ServiceUnavailable(retry_after=1)
            return _loaded(layout, f'"{version}"', around=False, clock=self._clock)

        return self._cache.get(layout_key(event_id), f"v{version}", load)

    def seat_list(self, statuses: SeatStatusesAnswer) -> str:
        """An `EventSeatsAnswer`. Raises SeatListTooLarge for one that no answer can hold."""
        text = self._seat_list(statuses.event_id, statuses.layout_version).to_json(statuses)
        # Inside the function's own answer, which is JSON too, every quotation mark takes two bytes.
        if len(text.encode()) + text.count('"') > LARGEST_ANSWER:
            raise SeatListTooLarge(seatCount=statuses.seat_count)
        return text

    def sold(self, event_id: UUID) -> list[UUID]:
        """The ids of the seats that are sold. Raises NOT_FOUND."""
        statuses = self.seat_statuses(event_id)
        if statuses.sold_count == 0:
            return []
        ids = self._seat_list(event_id, statuses.layout_version).ids
        return [UUID(ids[seat]) for seat in statuses.sold_seats()]

    def _seat_list(self, event_id: UUID, layout_version: int) -> SeatList:
        """Kept in this warm container, too: a layout's version says all there is to say of it."""
        made = self._lists.get(event_id)
        if made is None or made.version != layout_version:
            text = self.seat_layout(event_id, layout_version).json
            made = self._lists[event_id] = SeatList(SeatLayoutAnswer.model_validate_json(text))
            while len(self._lists) > LISTS_KEPT:
                self._lists.popitem(last=False)
        self._lists.move_to_end(event_id)
        return made


def _loaded(answer: Model, tag: str, *, around: bool, clock: Clock) -> Loaded:
    return Loaded(Kept(tag, answer.to_json()), freshness(clock(), around_sale=around))
