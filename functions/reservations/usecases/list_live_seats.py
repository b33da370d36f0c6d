"""The seats of an event's live reservations and the holds in Redis, for reconciliation (EVT-030)."""

from common.contracts.live_seats import LIVE_SEATS_PAGE, HeldSeat, LiveSeat, LiveSeatsResponse
from common.domain.clock import Clock
from common.domain.ids import EventId, ReservationId
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.adapters.seat_holds_redis import SeatHolds


class ListLiveSeats:
    def __init__(self, reservations: ReservationRepository, seat_holds: SeatHolds, clock: Clock) -> None:
        self._reservations = reservations
        self._seat_holds = seat_holds
        self._clock = clock

    def page(self, event_id: EventId, after: ReservationId | None) -> LiveSeatsResponse:
        """A page of the event's live seats; the first page has the holds, too."""
        # Holds first: if a reservation is written in between, its seats are listed, and its hold is no orphan.
        holders = self._seat_holds.holders(event_id, self._clock()) if after is None else {}
        live = self._reservations.live_seats(event_id, after, LIVE_SEATS_PAGE)
        return LiveSeatsResponse(
            event_id=event_id,
            seats=[
                LiveSeat(seat_id=seat, reservation_id=each.reservation_id, status=each.status)
                for each in live
                for seat in each.seat_ids
            ],
            holds=[HeldSeat(seat_id=seat, reservation_id=holder) for seat, holder in holders.items()],
            more_after=live[-1].reservation_id if len(live) == LIVE_SEATS_PAGE else None,
        )
