"""The ticket: a compact JWS (RFC 7515, EdDSA) that a door can check offline with the published key (RSV-010)."""

import jwt

from functions.reservations.domain.reservation import Reservation


def sign_ticket(reservation: Reservation, private_key_pem: str, key_id: str) -> str:
    """The text of a confirmed reservation's QR code: number, event, seats. It names no person."""
    return jwt.encode(
        {
            "num": reservation.ticket_number,
            "evt": str(reservation.event_id),
            "seats": [seat.number for seat in reservation.seats],
        },
        private_key_pem,
        algorithm="EdDSA",
        headers={"kid": key_id},
    )
