"""Seats as layout and bitmap, and the list that is built from both (EVT-006)."""

import json
from base64 import b64decode
from uuid import UUID, uuid4

import pytest

from common.domain.ids import EventId
from functions.events.domain.seat_layout import PricedSection, SeatLayout, SeatList, SeatStatuses, bitmap

EVENT = EventId(uuid4())


def layout(*ids: UUID, sections: list[PricedSection] | None = None) -> SeatLayout:
    made = sections or [PricedSection(name="A", grade="VIP", rows=1, seats_per_row=len(ids), price=10)]
    return SeatLayout.of(EVENT, 1, made, "".join(each.hex for each in ids))


def statuses(count: int, *sold: int) -> SeatStatuses:
    return SeatStatuses(
        event_id=EVENT, layout_version=1, version=3, seat_count=count, sold_count=len(sold), sold=bitmap(count, sold)
    )


@pytest.mark.parametrize("ids", [[uuid4()], [uuid4() for _ in range(9)], [UUID(int=2**100 + n) for n in range(300)]])
def test_packed_ids_can_be_unpacked(ids: list[UUID]) -> None:
    assert layout(*ids).ids() == [str(each) for each in ids]


def test_consecutive_ids_share_all_but_their_last_digits() -> None:
    packed = layout(*(UUID(int=2**100 + n) for n in range(200)))
    assert (len(packed.id_prefix), len(packed.id_suffixes)) == (30, 400)


@pytest.mark.parametrize("sold", [[], [0], [7], [8], [0, 9], list(range(10))])
def test_a_bitmap_shows_which_seats_are_sold(sold: list[int]) -> None:
    assert statuses(10, *sold).sold_positions() == sold
    assert len(b64decode(bitmap(10, sold))) == 2


def test_the_first_seat_is_the_highest_bit() -> None:
    assert b64decode(bitmap(10, [0, 9])) == bytes([0b1000_0000, 0b0100_0000])


def test_the_list_has_every_seat_by_grade_the_most_expensive_first() -> None:
    sections = [
        PricedSection(name='가"\\', grade="S", rows=2, seats_per_row=1, price=10),
        PricedSection(name="B", grade="VIP", rows=1, seats_per_row=1, price=20),
        PricedSection(name="C", grade="S", rows=1, seats_per_row=1, price=10),
    ]
    ids = [uuid4() for _ in range(4)]
    made = json.loads(SeatList(layout(*ids, sections=sections)).to_json(statuses(4, 1, 2)))
    assert made["eventId"] == str(EVENT)
    assert [(grade["grade"], grade["price"]) for grade in made["grades"]] == [("VIP", 20), ("S", 10)]
    assert [(seat["id"], seat["number"], seat["status"]) for grade in made["grades"] for seat in grade["seats"]] == [
        (str(ids[2]), "B-1-1", "SOLD"),
        (str(ids[0]), '가"\\-1-1', "AVAILABLE"),
        (str(ids[1]), '가"\\-2-1', "SOLD"),
        (str(ids[3]), "C-1-1", "AVAILABLE"),
    ]
