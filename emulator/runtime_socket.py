"""The emulator's end of the socket to a function's process; `function_side/boot.py` is the other end.

It carries the same events and responses as the HTTP Runtime API, in a third of the processor time.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from emulator.function_side.boot import ERROR, EVENT, NEXT, REJECTED, RESULT, frame
from emulator.runtime_api import MAX_BODY, RequestHandler

_HEADER = 9  # bytes: the kind, then the lengths of head and body


class RuntimeSocket(asyncio.Protocol):
    """Passes requests to a handler, as `RuntimeConnection` does, and sends the responses."""

    def __init__(self, handler: RequestHandler, on_report: Callable[[Mapping[str, Any]], None]) -> None:
        """`on_report` gets the process's reports of the modules it loaded."""
        self._handler = handler
        self._on_report = on_report
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._dropped = 0  # bytes of a body over the limit that were dropped
        self._rejected = ""

    def respond(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Sends an event, or keeps why the last response was rejected, for the next request."""
        if self._transport is None or self._transport.is_closing():
            return
        if status >= 300:
            self._rejected = body.decode() or f"status {status}"
        elif headers is not None:
            self._transport.write(frame(EVENT, json.dumps(headers).encode(), body))

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= _HEADER and self._step():
            pass

    def _step(self) -> bool:
        """Takes one message from the buffer if it is complete."""
        head_size = int.from_bytes(self._buffer[1:5], "big")
        body_size = int.from_bytes(self._buffer[5:9], "big")
        start = _HEADER + head_size
        kept = start + MAX_BODY
        if len(self._buffer) > kept and body_size > MAX_BODY:  # too large for a response: only its size matters
            drop = min(len(self._buffer) - kept, body_size - MAX_BODY - self._dropped)
            del self._buffer[kept : kept + drop]
            self._dropped += drop
        end = start + body_size - self._dropped
        if len(self._buffer) < end:
            return False
        kind = bytes(self._buffer[:1])
        head, body = bytes(self._buffer[_HEADER:start]), bytes(self._buffer[start:end])
        del self._buffer[:end]
        self._dropped = 0
        self._handle(kind, head, body)
        return True

    def _handle(self, kind: bytes, head: bytes, body: bytes) -> None:
        if kind == NEXT:
            if head:
                self._on_report(json.loads(head))
            if self._rejected:
                if self._transport is not None:
                    self._transport.write(frame(REJECTED, self._rejected.encode()))
                return
            self._handler.runtime_request(self, "GET", "/2018-06-01/runtime/invocation/next", b"")
        else:
            what = {RESULT: "response", ERROR: "error"}[kind]
            self._handler.runtime_request(self, "POST", f"/2018-06-01/runtime/invocation/{head.decode()}/{what}", body)
