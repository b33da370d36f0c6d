"""An event's seats in two parts: the layout, which stays, and which of them are sold, one bit for each seat (EVT-006).

The plain list is built from both. A layout is up to 100,000 ids; a client that has it follows a sale of 50,000 seats
with six kilobytes for each poll. Both are cached as the JSON that the API answers.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from itertools import pairwise
from uuid import UUID

from common.domain.ids import EventId, SeatId
from common.domain.model import Model
from functions.events.domain.seat_template import Grade, Section

AVAILABLE, SOLD = 'AVAILABLE"}', 'SOLD"}'  # the end of a seat's JSON in the plain list
ID_LENGTH = 32  # hexadecimal digits of a UUID


class PricedSection(Section):
    price: int  # won


class SeatLayout(Model):
    """Seat n of the event (from 0) is the n-th of its sections' seats, row by row; it is numbered section-row-number,
    from 1. Its id is `id_prefix` and the n-th of the equally long `id_suffixes`, as a UUID without hyphens."""

    event_id: EventId
    version: int  # counts its changes, which end when the sale starts
    seat_count: int
    sections: list[PricedSection]
    id_prefix: str
    id_suffixes: str

    @classmethod
    def of(cls, event_id: EventId, version: int, sections: list[PricedSection], ids: str) -> "SeatLayout":
        """`ids` are all seats' ids in order, 32 hexadecimal digits each."""
        count = len(ids) // ID_LENGTH
        every = [ids[at : at + ID_LENGTH] for at in range(0, len(ids), ID_LENGTH)]
        first, last = min(every), max(every)
        shared = next((at for at in range(ID_LENGTH) if first[at] != last[at]), ID_LENGTH - 1)
        prefix = first[:shared]
        return cls(
            event_id=event_id,
            version=version,
            seat_count=count,
            sections=sections,
            id_prefix=prefix,
            id_suffixes="".join(each[len(prefix) :] for each in every),
        )

    def ids(self) -> list[str]:
        """Every seat's id, in order."""
        width = ID_LENGTH - len(self.id_prefix)
        plain = [self.id_prefix + self.id_suffixes[at : at + width] for at in range(0, len(self.id_suffixes), width)]
        return [f"{each[:8]}-{each[8:12]}-{each[12:16]}-{each[16:20]}-{each[20:]}" for each in plain]


class SeatStatuses(Model):
    """`sold` is a bitmap in base64: bit n, the first byte's highest being bit 0, is 1 while seat n of the layout is
    SOLD. `version` counts the changes: of two answers the higher one is newer."""

    event_id: EventId
    layout_version: int
    version: int
    seat_count: int
    sold_count: int
    sold: str

    @property
    def etag(self) -> str:
        return f'"{self.layout_version}.{self.version}"'

    def sold_positions(self) -> list[int]:
        """Positions in the layout, from 0."""
        bits = b64decode(self.sold)
        return [byte * 8 + bit for byte, value in enumerate(bits) if value for bit in range(8) if value & (0x80 >> bit)]


def bitmap(seat_count: int, sold: Iterable[int]) -> str:
    """`sold` are numbers of seats, from 0."""
    bits = bytearray((seat_count + 7) // 8)
    for seat in sold:
        bits[seat >> 3] |= 0x80 >> (seat & 7)
    return b64encode(bits).decode()


class SeatList:
    """The plain list of one layout. What does not depend on the seats' statuses is rendered once, since a response
    model for each of 50,000 seats takes seconds."""

    def __init__(self, layout: SeatLayout) -> None:
        self.version = layout.version
        self.ids = layout.ids()
        self._event_id = layout.event_id
        numbers = _numbers(layout.sections)
        self._seats = [
            f'{{"id":"{seat}","number":"{number}","status":"{AVAILABLE}'
            for seat, number in zip(self.ids, numbers, strict=True)
        ]
        self._grades = _by_grade(layout.sections)

    def sold_ids(self, statuses: SeatStatuses) -> list[SeatId]:
        return [SeatId(UUID(self.ids[position])) for position in statuses.sold_positions()]

    def to_json(self, statuses: SeatStatuses) -> str:
        """As `SeatListResponse` describes it."""
        seats = self._seats.copy()
        for seat in statuses.sold_positions():
            seats[seat] = seats[seat].removesuffix(AVAILABLE) + SOLD
        grades = ",".join(
            f'{{"grade":"{grade}","price":{price},"seats":['
            + ",".join(",".join(seats[first:end]) for first, end in spans)
            + "]}"
            for grade, price, spans in self._grades
        )
        return f'{{"eventId":"{self._event_id}","grades":[{grades}]}}'


def _numbers(sections: Iterable[Section]) -> Iterable[str]:
    for section in sections:
        name = json.dumps(section.name, ensure_ascii=False)[1:-1]
        for row in range(1, section.rows + 1):
            for seat in range(1, section.seats_per_row + 1):
                yield f"{name}-{row}-{seat}"


def _by_grade(sections: list[PricedSection]) -> list[tuple[Grade, int, list[tuple[int, int]]]]:
    """Each grade, its price and the spans of its seats, the most expensive first."""
    ends = [0]
    for section in sections:
        ends.append(ends[-1] + section.rows * section.seats_per_row)
    spans: dict[Grade, list[tuple[int, int]]] = {}
    prices: dict[Grade, int] = {}
    for section, span in zip(sections, pairwise(ends), strict=True):
        spans.setdefault(section.grade, []).append(span)
        prices[section.grade] = section.price
    order = sorted(spans, key=lambda grade: (-prices[grade], grade))
    return [(grade, prices[grade], spans[grade]) for grade in order]
