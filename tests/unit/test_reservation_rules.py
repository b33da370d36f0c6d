"""Rules that need no store: ticket numbers, signatures, expiry of holds."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from common.domain.ids import EventId, ReservationId, SeatId, UserId
from functions.queue.domain.queue_speed import QueueSpeed
from functions.reservations.adapters.ticket_signer import sign_ticket
from functions.reservations.domain.cancellation_fee import fee_percent
from functions.reservations.domain.reservation import CROCKFORD, Reservation, Seat, Status, ticket_number
from functions.reservations.handlers import read_reservation
from functions.reservations.usecases.read_reservation import OwnReservation
from functions.reservations.wiring import purchases

NOW = datetime(2026, 5, 1, 11, 0, tzinfo=UTC)
RESERVATION = Reservation(
    id=ReservationId(uuid4()),
    user_id=UserId(uuid4()),
    event_id=EventId(uuid4()),
    event_title="Tour",
    event_starts_at=NOW + timedelta(days=30),
    status=Status.PENDING,
    seats=(Seat(SeatId(uuid4()), "A-1-1", "VIP", 150_000),),
    total_amount=150_000,
    hold_expires_at=NOW + timedelta(minutes=5),
    hold_extendable_until=NOW + timedelta(minutes=5, seconds=30),
    created_at=NOW,
    ticket_number="0123456789AB",
)


def test_a_hold_is_valid_until_just_before_its_expiry() -> None:
    assert RESERVATION.holds_at(NOW + timedelta(minutes=5, microseconds=-1))
    assert not RESERVATION.holds_at(NOW + timedelta(minutes=5))


def test_days_before_an_event_are_counted_in_korea() -> None:
    starts_at, confirmed_at = datetime(2026, 5, 4, 10, 0, tzinfo=UTC), NOW - timedelta(days=60)
    midnight_in_korea = datetime(2026, 5, 1, 15, 0, tzinfo=UTC)
    assert fee_percent(midnight_in_korea - timedelta(seconds=1), confirmed_at, starts_at) == 20  # three days before
    assert fee_percent(midnight_in_korea, confirmed_at, starts_at) == 30  # two


def test_ticket_numbers_are_unique_and_easy_to_read_aloud() -> None:
    numbers = {ticket_number(ReservationId(UUID(int=n))) for n in range(1000)}
    assert len(numbers) == 1000
    assert all(len(number) == 12 and set(number) <= set(CROCKFORD) for number in numbers)


@pytest.mark.parametrize(("status", "shown"), [(Status.CONFIRMED, True), (Status.CANCELLED, False)])
def test_a_ticket_is_shown_while_its_reservation_is_confirmed(
    monkeypatch: pytest.MonkeyPatch, status: Status, shown: bool
) -> None:
    """A cancelled reservation keeps its ticket number, but shows no ticket."""
    found = replace(RESERVATION, status=status)
    own = SimpleNamespace(read=lambda _user_id, _id: OwnReservation(found))
    monkeypatch.setattr(purchases, "read_reservation", lambda: own)
    monkeypatch.setattr(purchases, "ticket_qr", lambda _reservation: "signed")
    claims = {"sub": str(found.user_id), "role": "USER", "sid": str(uuid4()), "jti": str(uuid4()), "exp": "1"}
    event = {"pathParameters": {"id": str(found.id)}, "requestContext": {"authorizer": claims}}
    answer = read_reservation.handler(event, None)
    assert answer["statusCode"] == 200
    assert (json.loads(answer["body"])["ticket"] is not None) is shown


def test_a_ticket_verifies_offline_and_names_no_person() -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    qr = sign_ticket(RESERVATION, pem, "k1")
    claims = jwt.decode(qr, key.public_key(), algorithms=["EdDSA"])
    assert claims == {"num": "0123456789AB", "evt": str(RESERVATION.event_id), "seats": ["A-1-1"]}
    assert str(RESERVATION.user_id) not in str(claims)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(qr, Ed25519PrivateKey.generate().public_key(), algorithms=["EdDSA"])


@pytest.mark.parametrize(("ahead", "per_second", "seconds"), [(0, 10, 1), (9, 10, 1), (150, 10, 15), (151, 10, 16)])
def test_the_wait_is_the_number_of_buyers_ahead_divided_by_the_rate(ahead: int, per_second: int, seconds: int) -> None:
    assert QueueSpeed(per_second).seconds_for(ahead) == seconds
