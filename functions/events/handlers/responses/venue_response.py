"""Venues and halls as the API answers them."""

from typing import Self

from common.domain.ids import HallId, VenueId
from common.domain.model import Model
from functions.events.domain.seat_template import SeatTemplate
from functions.events.domain.venue import Hall, ListedVenue, VenueWithHalls


class HallSummaryResponse(Model):
    id: HallId
    name: str
    capacity: int  # seats


class HallResponse(HallSummaryResponse):
    venue_id: VenueId
    seat_template: SeatTemplate
    version: int = 1  # for If-Match, since no endpoint reads a single hall

    @classmethod
    def of(cls, hall: Hall) -> Self:
        return cls.model_validate(hall, from_attributes=True)


class VenueSummaryResponse(Model):
    id: VenueId
    name: str
    address: str
    city: str


class VenueResponse(VenueSummaryResponse):
    """In a list: the halls without their templates, which may be long."""

    halls: list[HallSummaryResponse]

    @classmethod
    def of(cls, venue: ListedVenue) -> Self:
        return cls.model_validate(venue, from_attributes=True)


class VenueDetailResponse(VenueSummaryResponse):
    halls: list[HallResponse]

    @classmethod
    def of(cls, venue: VenueWithHalls) -> Self:
        return cls.model_validate(venue, from_attributes=True)
