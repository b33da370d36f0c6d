"""Holds in Redis and reservations in Postgres, shown side by side and mended where they disagree (EVT-030).

Postgres is the truth: a hold of no live reservation is released, a live reservation's forgotten hold taken again. Both
are looked at anew here, at the last moment: what was true when somebody noticed may not be any more.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from common.contracts.seat_ledger import (
    LEDGER_PAGE,
    HeldSeat,
    LedgerSeat,
    MendHoldsAnswer,
    SeatLedgerAnswer,
)
from common.domain.clock import Clock
from functions.reservations.adapters.reservation_repository import ReservationStore
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.domain.reservation import Status
from functions.reservations.usecases.hold_seats import GUARD

NOBODY = UUID(int=0)


class HoldMending:
    def __init__(self, store: ReservationStore, holds: SeatHolds, clock: Clock) -> None:
        self._store = store
        self._holds = holds
        self._clock = clock

    def ledger(self, event_id: UUID, after: UUID | None) -> SeatLedgerAnswer:
        """A page of the event's live seats; the first one tells of the holds, too."""
        # Holds first: one whose reservation is written meanwhile is then on the ledger, not an orphan.
        holders = self._holds.holders(event_id, self._clock()) if after is None else {}
        rows = self._store.ledger(event_id, after, LEDGER_PAGE)
        return SeatLedgerAnswer(
            event_id=event_id,
            seats=[
                LedgerSeat(seat_id=seat, reservation_id=row["reservation_id"], status=row["status"])
                for row in rows
                for seat in row["seat_ids"]
            ],
            holds=[HeldSeat(seat_id=seat, reservation_id=holder) for seat, holder in holders.items()],
            more_after=rows[-1]["reservation_id"] if len(rows) == LEDGER_PAGE else None,
        )

    def mend(self, event_id: UUID, release: Sequence[HeldSeat], forgotten: Sequence[UUID]) -> MendHoldsAnswer:
        now = self._clock()
        holders = [held.reservation_id for held in release if held.reservation_id]
        live = self._store.live([*holders, *forgotten])
        released = remembered = 0
        for held in release:
            reservation = live.get(held.reservation_id) if held.reservation_id else None
            if reservation is None or held.seat_id not in reservation.seat_ids:
                self._holds.release(event_id, held.reservation_id or NOBODY, [held.seat_id])
                released += 1
        for reservation_id in forgotten:
            reservation = live.get(reservation_id)
            if reservation is None or reservation.status is not Status.PENDING:
                continue
            left = reservation.hold_expires_at + GUARD - now
            if left > timedelta() and not self._holds.take(event_id, reservation_id, reservation.seat_ids, left, now):
                remembered += 1
        return MendHoldsAnswer(released=released, remembered=remembered)
