"""Reservations asks events which seats of an event are sold (RSV-003)."""

from uuid import UUID

from common.domain.model import Model


class SeatStatusRequest(Model):
    event_id: UUID


class SeatStatusResponse(Model):
    event_id: UUID
    sold_seat_ids: list[UUID]
