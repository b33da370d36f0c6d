"""A place receipt: the signed place that a waiting user can present if Redis loses the queue (API field `ticket`).

It is base64url of 48 bytes: place, front, birth and time of signing (µs, 8 bytes each, big-endian), then the first 16
bytes of an HMAC-SHA256 over event, user and these numbers. So it is valid for one user and one event only.
"""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.domain.ids import EventId, UserId

_NUMBERS = struct.Struct(">QQQQ")
_MAC_BYTES = 16


@dataclass(frozen=True)
class QueuePosition:
    """A place in a queue, with what is needed to compare it later. All values in epoch µs."""

    place: int
    front: int  # the place up to which users had been admitted
    birth: int  # when the queue began, or began again after Redis lost it


@dataclass(frozen=True)
class PlaceReceipt:
    position: QueuePosition
    signed_at: int  # epoch µs


class PlaceReceiptSigner:
    """Signs with the first key and accepts every key, so that one key can replace another.

    `keys` is called for each receipt. While it returns none, no receipt is signed or accepted.
    """

    def __init__(self, keys: Callable[[], Sequence[bytes]]) -> None:
        self._keys = keys

    def sign(self, event_id: EventId, user_id: UserId, receipt: PlaceReceipt) -> str | None:
        keys, position = self._keys(), receipt.position
        if not keys:
            return None
        numbers = _NUMBERS.pack(position.place, position.front, position.birth, receipt.signed_at)
        return urlsafe_b64encode(numbers + _mac(keys[0], event_id, user_id, numbers)).decode()

    def read(self, event_id: EventId, user_id: UserId, text: str) -> PlaceReceipt | None:
        """The receipt, or None if we did not sign `text` for this user and event."""
        try:
            signed = urlsafe_b64decode(text.encode())
        except (BadBase64, ValueError):
            return None
        numbers, mac = signed[: _NUMBERS.size], signed[_NUMBERS.size :]
        if len(numbers) != _NUMBERS.size or not any(
            hmac.compare_digest(mac, _mac(key, event_id, user_id, numbers)) for key in self._keys()
        ):
            return None
        place, front, birth, signed_at = _NUMBERS.unpack(numbers)
        return PlaceReceipt(QueuePosition(place, front, birth), signed_at)


def _mac(key: bytes, event_id: EventId, user_id: UserId, numbers: bytes) -> bytes:
    return hmac.digest(key, event_id.bytes + user_id.bytes + numbers, "sha256")[:_MAC_BYTES]
