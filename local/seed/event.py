"""One event on sale, so that a new stack has something to sell."""

from datetime import datetime, timedelta
from uuid import UUID

from common.domain.ids import EventId, HallId, VenueId
from common.domain.shared_errors import NotFound
from common.stores.postgres import Database
from functions.events.adapters.event_repository import EventRepository
from functions.events.adapters.venue_repository import VenueRepository
from functions.events.domain.event_proposal import EventProposal
from functions.events.domain.seat_template import SeatTemplate, Section
from functions.events.domain.venue import Hall, Venue

VENUE_ID = VenueId(UUID("01900000-0000-7000-8000-000000000001"))
HALL_ID = HallId(UUID("01900000-0000-7000-8000-000000000002"))
EVENT_ID = EventId(UUID("01900000-0000-7000-8000-000000000003"))

VENUE = Venue(id=VENUE_ID, name="한빛아트센터", address="서울특별시 중구 한빛로 1", city="서울")
TEMPLATE = SeatTemplate(
    sections=[
        Section(name="A", grade="VIP", rows=4, seats_per_row=10),
        Section(name="B", grade="S", rows=6, seats_per_row=10),
        Section(name="C", grade="A", rows=10, seats_per_row=10),
    ]
)


def seed_event(database: Database, now: datetime) -> None:
    """Adds a venue, a hall of 200 seats and an event whose sale started an hour ago.

    If they exist, only an event whose sale is over changes: it moves to 30 days from now; sold seats stay sold.
    `database` can write the events service's schema.
    """
    _seed_venue(database, VenueRepository(database))
    events, proposal = EventRepository(database, lambda: now), _proposal(now)
    try:
        events.event(EVENT_ID)
    except NotFound:
        with database.transaction() as connection:
            template = events.lock_hall(connection, VENUE_ID, HALL_ID)
            proposal.check(template)
            events.insert(connection, EVENT_ID, proposal, template)
    else:
        _move_if_over(database, proposal, now)


def _seed_venue(database: Database, venues: VenueRepository) -> None:
    try:
        halls = {hall.id for hall in venues.venue(VENUE_ID).halls}
    except NotFound:
        halls = set()
        with database.transaction() as connection:
            venues.insert(connection, VENUE)
    if HALL_ID not in halls:
        hall = Hall(id=HALL_ID, venue_id=VENUE_ID, name="콘서트홀", capacity=TEMPLATE.capacity, seat_template=TEMPLATE)
        with database.transaction() as connection:
            venues.insert_hall(connection, hall)


def _proposal(now: datetime) -> EventProposal:
    starts_at = now + timedelta(days=30)
    return EventProposal(
        title="봄밤의 콘서트",
        artist="한강 필하모닉",
        description="로컬 스택의 예매 중인 공연입니다.",
        venue_id=VENUE_ID,
        hall_id=HALL_ID,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=2),
        sale_starts_at=now - timedelta(hours=1),
        sale_ends_at=starts_at - timedelta(hours=1),
        prices={"VIP": 150_000, "S": 120_000, "A": 90_000},
    )


def _move_if_over(database: Database, to: EventProposal, now: datetime) -> None:
    with database.transaction() as connection:
        connection.execute(
            """
            UPDATE event_service.events
               SET starts_at = %(starts_at)s, ends_at = %(ends_at)s,
                   sale_starts_at = %(sale_starts_at)s, sale_ends_at = %(sale_ends_at)s
             WHERE id = %(id)s AND sale_ends_at <= %(now)s
            """,
            {
                "id": EVENT_ID,
                "now": now,
                "starts_at": to.starts_at,
                "ends_at": to.ends_at,
                "sale_starts_at": to.sale_starts_at,
                "sale_ends_at": to.sale_ends_at,
            },
        )
