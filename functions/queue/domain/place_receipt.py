"""A signed place: what a waiting user holds in case Redis forgets the line.

base64url of 48 bytes: place, front, birth and when it was signed (µs, 8 bytes each, big-endian), then the first 16
bytes of an HMAC-SHA256 over event, user and these: worthless to anyone else, and for any other event.
"""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

_NUMBERS = struct.Struct(">QQQQ")
_MAC_BYTES = 16


@dataclass(frozen=True)
class Standing:
    """A place in a line, in the µs that order it."""

    place: int
    front: int  # the place of whoever was let in last
    birth: int  # when the line began, or began anew after Redis forgot it


@dataclass(frozen=True)
class Ticket:
    standing: Standing
    signed_at: int  # µs


class PlaceTickets:
    """Signs with the first key and reads those of any, so that one may replace the other. `keys` is asked each time;
    with none there are no tickets.
    """

    def __init__(self, keys: Callable[[], Sequence[bytes]]) -> None:
        self._keys = keys

    def sign(self, event_id: UUID, user_id: UUID, ticket: Ticket) -> str | None:
        keys, standing = self._keys(), ticket.standing
        if not keys:
            return None
        numbers = _NUMBERS.pack(standing.place, standing.front, standing.birth, ticket.signed_at)
        return urlsafe_b64encode(numbers + _mac(keys[0], event_id, user_id, numbers)).decode()

    def read(self, event_id: UUID, user_id: UUID, text: str) -> Ticket | None:
        """The ticket, if it is one of ours for this user and event."""
        try:
            both = urlsafe_b64decode(text.encode())
        except (BadBase64, ValueError):
            return None
        numbers, mac = both[: _NUMBERS.size], both[_NUMBERS.size :]
        if len(numbers) != _NUMBERS.size or not any(
            hmac.compare_digest(mac, _mac(key, event_id, user_id, numbers)) for key in self._keys()
        ):
            return None
        place, front, birth, signed_at = _NUMBERS.unpack(numbers)
        return Ticket(Standing(place, front, birth), signed_at)


def _mac(key: bytes, event_id: UUID, user_id: UUID, numbers: bytes) -> bytes:
    return hmac.digest(key, event_id.bytes + user_id.bytes + numbers, "sha256")[:_MAC_BYTES]
