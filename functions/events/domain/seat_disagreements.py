"""Where Redis's holds, the reservations and the events' seats disagree, and what of it is safe to mend (EVT-030).

Reservations are the truth. A seat's claims and Redis's holds follow them by message and by hand, so a look may catch
them on their way: only what two looks, some seconds apart, both find is a disagreement.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol
from uuid import UUID

Pair = tuple[UUID, UUID]  # a seat, a reservation
SETTLE_SECONDS = 15.0  # between two looks: longer than any hold takes to be written, and most messages to arrive


@dataclass(frozen=True)
class Picture:
    """An event's seats as the three stores have them."""

    claims: Mapping[UUID, Sequence[UUID]]  # seat → reservations, of those that are SOLD
    confirmed: frozenset[Pair]
    pending: frozenset[Pair]
    holds: frozenset[tuple[UUID, UUID | None]]  # None: shown as held, by nobody


@dataclass(frozen=True)
class Disagreements:
    oversold_seats: frozenset[UUID] = frozenset()  # in two confirmed reservations; for a person to settle
    missing_sales: frozenset[Pair] = frozenset()  # confirmed, and the seat does not know
    stale_claims: frozenset[Pair] = frozenset()  # the seat says SOLD to a reservation that is over
    orphan_holds: frozenset[tuple[UUID, UUID | None]] = frozenset()  # held by no live reservation
    forgotten_holds: frozenset[Pair] = frozenset()  # pending, and Redis does not know

    def __and__(self, other: "Disagreements") -> "Disagreements":
        return Disagreements(*(getattr(self, each.name) & getattr(other, each.name) for each in fields(self)))

    def counts(self) -> dict[str, int]:
        return {each.name: len(getattr(self, each.name)) for each in fields(self)}

    def __bool__(self) -> bool:
        return any(self.counts().values())


def compare(picture: Picture) -> Disagreements:
    buyers: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for seat, reservation in picture.confirmed:
        buyers[seat].add(reservation)
    claimed = {(seat, reservation) for seat, claims in picture.claims.items() for reservation in claims}
    live = picture.confirmed | picture.pending
    return Disagreements(
        oversold_seats=frozenset(seat for seat, reservations in buyers.items() if len(reservations) > 1),
        missing_sales=frozenset(picture.confirmed - claimed),
        stale_claims=frozenset(claimed - picture.confirmed),
        orphan_holds=frozenset(picture.holds - live),
        forgotten_holds=frozenset(picture.pending - picture.holds),
    )


class Stores(Protocol):
    def selling(self) -> Sequence[UUID]: ...
    def picture(self, event_id: UUID) -> Picture: ...
    def mend(self, event_id: UUID, found: Disagreements) -> None: ...


def reconcile(
    stores: Stores, wait: Callable[[float], None], failed: Callable[[UUID, Exception], None]
) -> dict[UUID, Disagreements]:
    """Look at every event on sale, and again at those where something was off; what both looks found is mended, where
    it can be, and told. One event that cannot be looked at (`failed` hears of it) does not keep us from the others."""

    def look(event_id: UUID) -> Disagreements:
        try:
            return compare(stores.picture(event_id))
        except Exception as error:
            failed(event_id, error)
            return Disagreements()

    suspects = {event_id: found for event_id in stores.selling() if (found := look(event_id))}
    if not suspects:
        return {}
    wait(SETTLE_SECONDS)
    sure = {event_id: found for event_id, first in suspects.items() if (found := first & look(event_id))}
    for event_id, found in sure.items():
        try:
            stores.mend(event_id, found)
        except Exception as error:
            failed(event_id, error)
    return sure
