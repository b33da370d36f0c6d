"""Seats in Postgres, read: by event, by being sold, by id."""

from collections.abc import Collection
from uuid import UUID

from common.postgres import Database
from common.problem import NOT_FOUND
from common.seat_catalogue import SeatCatalogueAnswer
from common.seat_status import SeatStatusAnswer
from functions.events.seat_answer import EventSeatsAnswer


class SeatStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def of_event(self, event_id: UUID) -> EventSeatsAnswer:
        """Every seat by grade. Refuses NOT_FOUND for an event there is none of."""
        found = self._database.row(
            """
            SELECT json_build_object('eventId', %(event_id)s::uuid,
                                     'grades', json_agg(seats ORDER BY price DESC, grade))::text AS answer
              FROM (SELECT grade, price, json_build_object(
                             'grade', grade, 'price', price, 'seats',
                             json_agg(json_build_object('id', id, 'number', number, 'status', status)
                                      ORDER BY position)) AS seats
                      FROM event_service.seats
                     WHERE event_id = %(event_id)s
                     GROUP BY grade, price) grades
            HAVING count(*) > 0
            """,
            {"event_id": event_id},
        )
        if found is None:
            raise NOT_FOUND.refusal()
        return EventSeatsAnswer.model_validate_json(found["answer"])

    def sold(self, event_id: UUID) -> SeatStatusAnswer:
        """Refuses NOT_FOUND for an event there is none of."""
        found = self._database.row(
            """
            SELECT id AS event_id,
                   array(SELECT id FROM event_service.seats WHERE event_id = events.id AND status = 'SOLD')
                   AS sold_seat_ids
              FROM event_service.events
             WHERE id = %s
            """,
            (event_id,),
        )
        if found is None:
            raise NOT_FOUND.refusal()
        return SeatStatusAnswer.model_validate(found)

    def catalogue(self, event_id: UUID, seat_ids: Collection[UUID]) -> SeatCatalogueAnswer:
        """The event's sale and those of `seat_ids` that are its seats, in one round trip. Refuses NOT_FOUND."""
        found = self._database.row(
            """
            SELECT id AS event_id, title, starts_at, sale_starts_at, sale_ends_at,
                   cancelled_at IS NOT NULL AS cancelled, max_seats, seat_count,
                   array(SELECT jsonb_build_object(
                                  'id', id, 'number', number, 'grade', grade, 'price', price, 'status', status)
                           FROM event_service.seats
                          WHERE id = ANY (%(seat_ids)s::uuid[]) AND event_id = events.id
                          ORDER BY position) AS seats
              FROM event_service.events
             WHERE id = %(event_id)s
            """,
            {"event_id": event_id, "seat_ids": list(seat_ids)},
        )
        if found is None:
            raise NOT_FOUND.refusal()
        return SeatCatalogueAnswer.model_validate(found)
