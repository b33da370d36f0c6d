"""Where a hall is: `/venues/{id}/halls/{hallId}`."""

from uuid import UUID

from common.http.request import IdPath


class HallPath(IdPath):
    hall_id: UUID
