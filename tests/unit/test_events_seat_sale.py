"""Which seats a reservation's message sells or frees (EVT-008, EVT-026)."""

from uuid import UUID

import pytest

from common.domain.ids import ReservationId, SeatId
from common.domain.shared_errors import DomainError, SeatNotFound
from functions.events.domain.seat_sale import Seat, seats_to_free, seats_to_sell

OURS, THEIRS = ReservationId(UUID(int=1)), ReservationId(UUID(int=2))
FREE = Seat(SeatId(UUID(int=10)), (), version=0)
SOLD_TO_US = Seat(SeatId(UUID(int=11)), (OURS,), version=1)
SOLD_TO_THEM = Seat(SeatId(UUID(int=12)), (THEIRS,), version=1)


def test_a_confirmed_reservation_is_sold_the_seats_it_does_not_have_yet() -> None:
    assert seats_to_sell([FREE, SOLD_TO_US], [FREE.id, SOLD_TO_US.id], OURS) == [FREE]


def test_a_seat_sold_to_another_is_also_sold_to_a_confirmed_reservation() -> None:
    assert seats_to_sell([SOLD_TO_THEM], [SOLD_TO_THEM.id], OURS) == [SOLD_TO_THEM]


def test_a_seat_the_event_does_not_have_cannot_be_sold() -> None:
    with pytest.raises(DomainError) as raised:
        seats_to_sell([FREE], [FREE.id, SeatId(UUID(int=99))], OURS)
    assert type(raised.value) is SeatNotFound
    assert raised.value.details == {"seatIds": [str(UUID(int=99))]}


def test_a_cancelled_reservation_frees_only_its_own_seats() -> None:
    assert seats_to_free([FREE, SOLD_TO_US, SOLD_TO_THEM], OURS) == [SOLD_TO_US]
