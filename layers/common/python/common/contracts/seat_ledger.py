"""The calls by which events compares its seats with the reservations and the holds, and has holds mended (EVT-030):
asked of reservations. Of a large event the ledger comes in pages; the holds come with each of the seats on it.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from common.domain.model import Model

LEDGER_PAGE = 5_000  # reservations; four seats each stay below Lambda's 6 MB


class SeatLedgerAsked(Model):
    event_id: UUID
    after: UUID | None = None  # the last reservation of the page before


class LedgerSeat(Model):
    """A seat of a reservation that is PENDING or CONFIRMED."""

    seat_id: UUID
    reservation_id: UUID
    status: Literal["PENDING", "CONFIRMED"]


class HeldSeat(Model):
    """A seat that Redis shows as held; `reservation_id` is None when the hold itself is gone."""

    seat_id: UUID
    reservation_id: UUID | None


class SeatLedgerAnswer(Model):
    event_id: UUID
    seats: list[LedgerSeat]
    holds: list[HeldSeat]  # of the whole event, on the first page
    more_after: UUID | None  # ask on from this one, if any


class MendHoldsAsked(Model):
    """Holds of nobody to `release`, and holds of PENDING `forgotten` reservations to take again."""

    event_id: UUID
    release: Annotated[list[HeldSeat], Field(max_length=1000)]
    forgotten: Annotated[list[UUID], Field(max_length=1000)]  # reservations


class MendHoldsAnswer(Model):
    released: int
    remembered: int
