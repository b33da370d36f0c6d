"""Venues and their halls in Postgres."""

import json
from uuid import UUID

from common.page import Page
from common.postgres import Database
from common.problem import NOT_FOUND
from common.request import Paging
from functions.events.seat_template import SeatTemplate
from functions.events.venue_answer import HallAnswer, VenueAnswer, VenueDetailAnswer, VenueSummary


class VenueStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, venue: VenueSummary) -> VenueAnswer:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO event_service.venues (id, name, address, city) VALUES (%s, %s, %s, %s)",
                (venue.id, venue.name, venue.address, venue.city),
            )
        return VenueAnswer(**dict(venue), halls=[])

    def create_hall(self, hall_id: UUID, venue_id: UUID, name: str, template: SeatTemplate) -> HallAnswer:
        """Refuses NOT_FOUND for a venue there is none of."""
        with self._database.transaction() as connection:
            made = connection.execute(
                """
                INSERT INTO event_service.halls (id, venue_id, name, seat_template, capacity)
                SELECT %(id)s, venues.id, %(name)s, %(template)s, %(capacity)s
                  FROM event_service.venues WHERE venues.id = %(venue_id)s
                """,
                {
                    "id": hall_id,
                    "venue_id": venue_id,
                    "name": name,
                    "template": json.dumps(template.to_dict()),
                    "capacity": template.capacity,
                },
            ).rowcount
        if not made:
            raise NOT_FOUND.refusal()
        return HallAnswer(id=hall_id, venue_id=venue_id, name=name, capacity=template.capacity, seat_template=template)

    def venue(self, venue_id: UUID) -> VenueDetailAnswer:
        """Refuses NOT_FOUND."""
        found = self._database.row(
            """
            SELECT id, name, address, city,
                   array(SELECT to_jsonb(halls) FROM event_service.halls
                          WHERE venue_id = venues.id ORDER BY name, id) AS halls
              FROM event_service.venues
             WHERE id = %s
            """,
            (venue_id,),
        )
        if found is None:
            raise NOT_FOUND.refusal()
        return VenueDetailAnswer.model_validate(found)

    def page(self, city: str | None, paging: Paging) -> Page[VenueAnswer]:
        """Venues by name, of one city or of all."""
        narrowed = {"city": city}
        total = self._database.rows(
            "SELECT count(*) AS total FROM event_service.venues WHERE %(city)s::text IS NULL OR city = %(city)s",
            narrowed,
        )[0]["total"]
        rows = self._database.rows(
            """
            SELECT id, name, address, city,
                   array(SELECT jsonb_build_object('id', id, 'name', name, 'capacity', capacity)
                           FROM event_service.halls WHERE venue_id = venues.id ORDER BY name, id) AS halls
              FROM event_service.venues
             WHERE %(city)s::text IS NULL OR city = %(city)s
             ORDER BY name, id
             LIMIT %(limit)s OFFSET %(offset)s
            """,
            {**narrowed, "limit": paging.size, "offset": paging.offset},
        )
        items = [VenueAnswer.model_validate(row) for row in rows]
        return Page[VenueAnswer](items=items, page=paging.page, size=paging.size, total=total)
