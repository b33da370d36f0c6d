"""Venues and halls as clients see them."""

from uuid import UUID

from common.model import Model
from functions.events.seat_template import SeatTemplate


class HallSummary(Model):
    id: UUID
    name: str
    capacity: int  # seats


class HallAnswer(HallSummary):
    venue_id: UUID
    seat_template: SeatTemplate


class VenueSummary(Model):
    id: UUID
    name: str
    address: str
    city: str


class VenueAnswer(VenueSummary):
    """In a list: the halls without their templates, which may be long."""

    halls: list[HallSummary]


class VenueDetailAnswer(VenueSummary):
    halls: list[HallAnswer]
