"""Reservations asks events which seats of an event are sold (RSV-003)."""

from common.domain.ids import EventId, SeatId
from common.domain.model import Model


class SoldSeatsRequest(Model):
    event_id: EventId


class SoldSeatsResponse(Model):
    event_id: EventId
    sold_seat_ids: list[SeatId]
