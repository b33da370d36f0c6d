"""Venues and their halls (EVT-010, EVT-013)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from common.domain.ids import HallId, VenueId
from functions.events.domain.seat_template import SeatTemplate


@dataclass(frozen=True, kw_only=True)
class HallSummary:
    id: HallId
    name: str
    capacity: int  # seats


@dataclass(frozen=True, kw_only=True)
class Hall(HallSummary):
    venue_id: VenueId
    seat_template: SeatTemplate
    version: int = 1  # counts its edits

    def edited(self, name: str | None, seat_template: SeatTemplate | None) -> "Hall":
        """The hall with the given values; None leaves a value as it is."""
        template = seat_template or self.seat_template
        return replace(self, name=name or self.name, seat_template=template, capacity=template.capacity)


@dataclass(frozen=True, kw_only=True)
class Venue:
    id: VenueId
    name: str
    address: str
    city: str
    version: int = 1  # counts its edits


@dataclass(frozen=True, kw_only=True)
class VenueWithHalls(Venue):
    halls: Sequence[Hall]


@dataclass(frozen=True, kw_only=True)
class ListedVenue(Venue):
    """In a list: the halls without their seat templates, which may be long."""

    halls: Sequence[HallSummary]


@dataclass(frozen=True)
class VenuePage:
    """One page of the venues found; `total` counts all of them."""

    items: Sequence[ListedVenue]
    total: int
