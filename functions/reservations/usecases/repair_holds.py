"""Repair the holds in Redis that disagree with the reservations in Postgres (EVT-030).

Postgres is right: a hold without a live reservation is released, and the missing hold of a live reservation is taken
again. Both are read again here, at the last moment: what the caller saw may have changed.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from common.contracts.live_seats import HeldSeat, RepairHoldsResponse
from common.domain.clock import Clock
from common.domain.ids import EventId, ReservationId, SeatId
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.domain.reservation import Status

NO_RESERVATION = ReservationId(UUID(int=0))


class RepairHolds:
    def __init__(self, reservations: ReservationRepository, seat_holds: SeatHolds, clock: Clock) -> None:
        self._reservations = reservations
        self._seat_holds = seat_holds
        self._clock = clock

    def repair(
        self, event_id: EventId, release: Sequence[HeldSeat], missing: Sequence[ReservationId]
    ) -> RepairHoldsResponse:
        """Release the holds `release`, and take those of the reservations `missing` again."""
        now = self._clock()
        holders = [ReservationId(held.reservation_id) for held in release if held.reservation_id]
        live = self._reservations.live([*holders, *missing])
        released = restored = 0
        for held in release:
            reservation = live.get(ReservationId(held.reservation_id)) if held.reservation_id else None
            if reservation is None or held.seat_id not in reservation.seat_ids:
                holder = ReservationId(held.reservation_id) if held.reservation_id else NO_RESERVATION
                self._seat_holds.release(event_id, holder, [SeatId(held.seat_id)])
                released += 1
        for reservation_id in missing:
            reservation = live.get(reservation_id)
            if reservation is None or reservation.status is not Status.PENDING:
                continue
            left = reservation.time_left_in_redis(now)
            if left > timedelta() and not self._seat_holds.take(
                event_id, reservation_id, reservation.seat_ids, left, now
            ):
                restored += 1
        return RepairHoldsResponse(released=released, remembered=restored)
