"""PortOne's `Idempotency-Key`: for three hours every request with one key gets the first one's response.

PortOne's documentation forbids a key with another request, but does not say what the response is; the sandbox returns
422, as in the IETF draft (draft-ietf-httpapi-idempotency-key-header, section 2.7).
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from aiohttp import web

from local.sandbox.clock import Clock

KEPT_FOR = timedelta(hours=3)

# A structured-field string (RFC 8941): the quotes are part of it. 16 to 256 ASCII characters between them.
_KEY = re.compile(r'"[ !#-\[\]-~]{16,256}"')


@dataclass(frozen=True)
class StoredResponse:
    """A response that can be sent again: a `web.Response` can be sent only once."""

    status: int
    body: bytes

    def response(self) -> web.Response:
        """A new response."""
        return web.Response(status=self.status, body=self.body, content_type="application/json")


class KeyState(Enum):
    """The state of a key when it is claimed."""

    NEW = auto()
    OUTSTANDING = auto()
    REUSED = auto()


@dataclass
class _Entry:
    request: str
    claimed_at: datetime
    response: StoredResponse | None = None


def well_formed(key: str) -> bool:
    """Whether `key` is a header value that PortOne accepts."""
    return _KEY.fullmatch(key) is not None


class IdempotencyKeys:
    """Keys with their requests and responses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    def claim(self, key: str, request: str) -> KeyState | StoredResponse:
        """The stored response, or what to do instead. After `KeyState.NEW`, call `store` or `release`."""
        self._remove_expired()
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = _Entry(request, self._clock())
            return KeyState.NEW
        if entry.request != request:
            return KeyState.REUSED
        return entry.response or KeyState.OUTSTANDING

    def store(self, key: str, response: StoredResponse) -> None:
        """Stores the response that the key returns from now on."""
        self._entries[key].response = response

    def release(self, key: str) -> None:
        """Removes a key whose request was not carried out."""
        del self._entries[key]

    def _remove_expired(self) -> None:
        # All keys have the same lifetime, so insertion order is expiry order. Outstanding keys are kept: otherwise the
        # request could be carried out twice.
        limit = self._clock() - KEPT_FOR
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if entry.claimed_at > limit or entry.response is None:
                return
            del self._entries[key]
