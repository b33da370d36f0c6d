"""Where Redis's holds, the reservations and the events' seats disagree (EVT-030). The reservations are right."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from common.domain.ids import ReservationId, SeatId

SeatReservation = tuple[SeatId, ReservationId]


@dataclass(frozen=True)
class SeatSnapshot:
    """An event's seats as the three stores have them."""

    sales: Mapping[SeatId, Sequence[ReservationId]]  # of the seats that are SOLD
    confirmed: frozenset[SeatReservation]
    pending: frozenset[SeatReservation]
    holds: frozenset[tuple[SeatId, ReservationId | None]]  # None: shown as held, without a hold


@dataclass(frozen=True)
class Disagreements:
    """The fields' names are the names of metrics."""

    oversold_seats: frozenset[SeatId] = frozenset()  # in two confirmed reservations; an operator has to settle it
    missing_sales: frozenset[SeatReservation] = frozenset()  # confirmed, but the seat is not SOLD to it
    stale_claims: frozenset[SeatReservation] = frozenset()  # the seat is SOLD to a reservation that is over
    orphan_holds: frozenset[tuple[SeatId, ReservationId | None]] = frozenset()  # held by no live reservation
    forgotten_holds: frozenset[SeatReservation] = frozenset()  # pending, but not held in Redis

    def __and__(self, other: "Disagreements") -> "Disagreements":
        return Disagreements(*(getattr(self, each.name) & getattr(other, each.name) for each in fields(self)))

    def counts(self) -> dict[str, int]:
        return {each.name: len(getattr(self, each.name)) for each in fields(self)}

    def __bool__(self) -> bool:
        return any(self.counts().values())


def find_disagreements(snapshot: SeatSnapshot) -> Disagreements:
    buyers: defaultdict[SeatId, set[ReservationId]] = defaultdict(set)
    for seat, reservation in snapshot.confirmed:
        buyers[seat].add(reservation)
    sold = {(seat, reservation) for seat, sales in snapshot.sales.items() for reservation in sales}
    live = snapshot.confirmed | snapshot.pending
    return Disagreements(
        oversold_seats=frozenset(seat for seat, reservations in buyers.items() if len(reservations) > 1),
        missing_sales=frozenset(snapshot.confirmed - sold),
        stale_claims=frozenset(sold - snapshot.confirmed),
        orphan_holds=frozenset(snapshot.holds - live),
        forgotten_holds=frozenset(snapshot.pending - snapshot.holds),
    )
