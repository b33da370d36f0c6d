"""Queue tokens: the reservation token (`qr_`, the right to hold seats) and the payment token (`qp_`, the right to pay).

A token reads `qr_<event>_<user>_<secret>` or `qp_<event>_<reservation>_<secret>`. It names its own key, so a check is
one GET. The key has the event's hash tag, so scripts on the event's queue can use it too. Only the last part, 192 bits,
is secret. An owner has one key: a new token replaces the old one, and ending a token needs no index (RSV-013).
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from common.domain.ids import EventId, ReservationId, UserId
from common.domain.shared_errors import QueueTokenInvalid, QueueTokenMismatch, QueueTokenMissing
from common.stores.redis import Client

QUEUE_TOKEN_ERRORS = (QueueTokenMissing, QueueTokenInvalid, QueueTokenMismatch)

RESERVATION, PAYMENT = "qr", "qp"

_SHAPE = re.compile(r"(qr|qp)_([0-9a-f]{32})_([0-9a-f]{32})_([A-Za-z0-9_-]{32})", re.ASCII)


@dataclass(frozen=True)
class QueueToken:
    """The readable part of a token. `owner` is the user of a `qr_`, the reservation of a `qp_`."""

    kind: str
    event_id: EventId
    owner: UserId | ReservationId
    admission: UUID  # distinguishes the tokens of one owner


def new_secret() -> str:
    """192 random bits as 32 URL-safe characters."""
    return secrets.token_urlsafe(24)


def admission_of(secret: str) -> UUID:
    """An id of the token that is safe to store: the secret cannot be found from it."""
    return UUID(bytes=sha256(secret.encode()).digest()[:16])


def token_key(kind: str, event_id: EventId, owner: UserId | ReservationId) -> str:
    return f"queue:token:{{{event_id}}}:{kind}:{owner}"


def token_prefix(kind: str, event_id: EventId, owner: UserId | ReservationId) -> str:
    """A token without its secret."""
    return f"{kind}_{event_id.hex}_{owner.hex}_"


class QueueTokens:
    """Checks, issues and ends tokens."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def check(self, token: str | None, kind: str) -> QueueToken:
        """The readable part of a live token. Raises one of QUEUE_TOKEN_ERRORS."""
        if not token:
            raise QueueTokenMissing()
        shape = _SHAPE.fullmatch(token)
        if shape is None:
            raise QueueTokenInvalid()
        owner = UUID(shape[3])
        read = QueueToken(
            kind=shape[1],
            event_id=EventId(UUID(shape[2])),
            owner=UserId(owner) if shape[1] == RESERVATION else ReservationId(owner),
            admission=admission_of(shape[4]),
        )
        live = self._redis.get(token_key(read.kind, read.event_id, read.owner))
        if not isinstance(live, str) or not hmac.compare_digest(live, token):
            raise QueueTokenInvalid()
        if read.kind != kind:
            raise QueueTokenMismatch()
        return read

    def check_reservation(self, token: str | None, user_id: UserId, event_id: EventId) -> UUID:
        """The admission of `token`. Raises unless it is this user's live `qr_` for this event (RSV-008)."""
        read = self.check(token, RESERVATION)
        if (read.owner, read.event_id) != (user_id, event_id):
            raise QueueTokenMismatch()
        return read.admission

    def check_payment(self, token: str | None, reservation_id: ReservationId) -> QueueToken:
        """Raises unless `token` is the live `qp_` of this reservation (QUEUE-004)."""
        read = self.check(token, PAYMENT)
        if read.owner != reservation_id:
            raise QueueTokenMismatch()
        return read

    def payment_token(self, event_id: EventId, reservation_id: ReservationId, seconds: int) -> tuple[str, timedelta]:
        """The reservation's payment token and how long it lives: the live one, or a new one for `seconds`.

        A buyer who asks twice, in two tabs or after a lost answer, has one token and not a dead one.
        """
        key = token_key(PAYMENT, event_id, reservation_id)
        token = token_prefix(PAYMENT, event_id, reservation_id) + new_secret()
        live = self._redis.set(key, token, ex=seconds, nx=True, get=True)
        if live is None:
            return token, timedelta(seconds=seconds)
        return str(live), timedelta(milliseconds=max(0, self._redis.pttl(key)))

    def end(self, event_id: EventId, user_id: UserId | None, reservation_id: ReservationId) -> None:
        """End both tokens of a purchase that is over."""
        keys = [token_key(PAYMENT, event_id, reservation_id)]
        if user_id is not None:
            keys.append(token_key(RESERVATION, event_id, user_id))
        self._redis.delete(*keys)
