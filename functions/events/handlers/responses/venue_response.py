"""Venues and halls as clients see them."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from common.domain.model import Model
from functions.events.domain.seat_template import SeatTemplate


class HallSummary(Model):
    id: UUID
    name: str
    capacity: int  # seats


class HallAnswer(HallSummary):
    venue_id: UUID
    seat_template: SeatTemplate
    version: int = 1  # counts its edits; what If-Match names, there being no GET of one hall


class VenueSummary(Model):
    id: UUID
    name: str
    address: str
    city: str
    version: Annotated[int, Field(exclude=True)] = 1  # counts its edits; goes into the ETag


class VenueAnswer(VenueSummary):
    """In a list: the halls without their templates, which may be long."""

    halls: list[HallSummary]


class VenueDetailAnswer(VenueSummary):
    halls: list[HallAnswer]
