"""One event on sale, so that a fresh stack has something to buy."""

from datetime import datetime, timedelta
from uuid import UUID

from common.domain.shared_errors import DomainError, NotFound
from common.stores.postgres import Database
from functions.events.adapters.event_repository import EventStore
from functions.events.adapters.venue_repository import VenueStore
from functions.events.domain.event_proposal import EventProposal
from functions.events.domain.seat_template import SeatTemplate, Section
from functions.events.handlers.responses.venue_response import VenueSummary

VENUE_ID = UUID("01900000-0000-7000-8000-000000000001")
HALL_ID = UUID("01900000-0000-7000-8000-000000000002")
EVENT_ID = UUID("01900000-0000-7000-8000-000000000003")

VENUE = VenueSummary(id=VENUE_ID, name="한빛아트센터", address="서울특별시 중구 한빛로 1", city="서울")
TEMPLATE = SeatTemplate(
    sections=[
        Section(name="A", grade="VIP", rows=4, seats_per_row=10),
        Section(name="B", grade="S", rows=6, seats_per_row=10),
        Section(name="C", grade="A", rows=10, seats_per_row=10),
    ]
)


def seed_event(database: Database, now: datetime) -> None:
    """A venue, a hall of 200 seats and an event whose sale began an hour ago.

    Seeding again adds nothing; once the event's sale is over it is put off to 30 days from then, sold seats and all.
    `database` is under any login that writes the events service's schema.
    """
    _seed_venue(VenueStore(database))
    proposal = _proposal(now)
    try:
        EventStore(database, lambda: now).event(EVENT_ID)
    except DomainError as refusal:
        _expect_not_found(refusal)
        EventStore(database, lambda: now).create(EVENT_ID, proposal)
    else:
        _put_off_if_over(database, proposal, now)


def _seed_venue(venues: VenueStore) -> None:
    try:
        halls = venues.venue(VENUE_ID).halls
    except DomainError as refusal:
        _expect_not_found(refusal)
        venues.create(VENUE)
        halls = []
    if HALL_ID not in {hall.id for hall in halls}:
        venues.create_hall(HALL_ID, VENUE_ID, "콘서트홀", TEMPLATE)


def _proposal(now: datetime) -> EventProposal:
    show = now + timedelta(days=30)
    return EventProposal(
        title="봄밤의 콘서트",
        artist="한강 필하모닉",
        description="로컬 스택의 예매 중인 공연입니다.",
        venue_id=VENUE_ID,
        hall_id=HALL_ID,
        starts_at=show,
        ends_at=show + timedelta(hours=2),
        sale_starts_at=now - timedelta(hours=1),
        sale_ends_at=show - timedelta(hours=1),
        prices={"VIP": 150_000, "S": 120_000, "A": 90_000},
    )


def _put_off_if_over(database: Database, to: EventProposal, now: datetime) -> None:
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


def _expect_not_found(refusal: DomainError) -> None:
    if type(refusal) is not NotFound:
        raise refusal
