"""PortOne's `Idempotency-Key`: the first answer to a key is every answer to it, for three hours.

A key sent again with another request is forbidden by PortOne's documentation, which does not say how it is answered;
the sandbox answers 422, as the IETF draft (draft-ietf-httpapi-idempotency-key-header, section 2.7) has it.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from aiohttp import web

from local.sandbox.clock import Clock

KEPT_FOR = timedelta(hours=3)

# A structured-field string (RFC 8941): the quotes belong to it. 16 to 256 ASCII characters between them.
_KEY = re.compile(r'"[ !#-\[\]-~]{16,256}"')


@dataclass(frozen=True)
class Answer:
    """An answer that can be sent again: a `web.Response` can be sent only once."""

    status: int
    body: bytes

    def response(self) -> web.Response:
        """A fresh response."""
        return web.Response(status=self.status, body=self.body, content_type="application/json")


class Claim(Enum):
    """What became of asking for a key."""

    NEW = auto()
    OUTSTANDING = auto()
    REUSED = auto()


@dataclass
class _Entry:
    request: str
    claimed_at: datetime
    answer: Answer | None = None


def well_formed(key: str) -> bool:
    """Whether `key` is a header value PortOne takes."""
    return _KEY.fullmatch(key) is not None


class IdempotencyKeys:
    """Keys, the requests they came with, and their answers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    def claim(self, key: str, request: str) -> Claim | Answer:
        """The stored answer, or what to do instead. After `Claim.NEW` the caller owes `answer` or `release`."""
        self._forget_old()
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = _Entry(request, self._clock())
            return Claim.NEW
        if entry.request != request:
            return Claim.REUSED
        return entry.answer or Claim.OUTSTANDING

    def answer(self, key: str, answer: Answer) -> None:
        """Stores the answer; from now on the key replays it."""
        self._entries[key].answer = answer

    def release(self, key: str) -> None:
        """Forgets a key whose request was never carried out."""
        del self._entries[key]

    def _forget_old(self) -> None:
        # All keys live equally long, so insertion order is expiry order and only the head can have expired. One still
        # outstanding is kept: forgetting it would let the request be carried out twice.
        limit = self._clock() - KEPT_FOR
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if entry.claimed_at > limit or entry.answer is None:
                return
            del self._entries[key]
