"""The HTTP of the Lambda Runtime API: only what its one client, awslambdaric, uses.

A general HTTP server would be slower: aiohttp took about half of the emulator's time per call.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol, cast

_REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 404: "Not Found", 413: "Request Entity Too Large"}
_MAX_HEAD = 2 * 1024 * 1024  # bytes; awslambdaric sends up to 1 MiB of X-Ray cause in a header
MAX_BODY = 6_291_557  # bytes kept: one more than the response limit, so that a larger response is detected


class Connection(Protocol):
    """Where a request came from, and its response goes."""

    def respond(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None: ...
    def close(self) -> None: ...


class RequestHandler(Protocol):
    """Handles requests; responds at once or later through `connection.respond`."""

    def runtime_request(self, connection: Connection, method: str, path: str, body: bytes) -> None: ...


class RuntimeConnection(asyncio.Protocol):
    """One kept-alive connection. Bodies have a Content-Length; the next request follows the response."""

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self._buffer = bytearray()
        self._request: str | None = None  # its first line, until its body is complete
        self._missing = 0  # bytes of that body still to come
        self._body = bytearray()
        self._transport: asyncio.Transport | None = None

    def respond(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Responds to the last request; does nothing if the client has disconnected."""
        if self._transport is None or self._transport.is_closing():
            return
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has the same methods

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer and self._step():
            pass

    def _step(self) -> bool:
        """Reads what it can from the buffer; returns whether a whole request was handled."""
        if self._request is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > _MAX_HEAD:
                    self.close()
                return False
            request_line, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
            del self._buffer[: end + 4]
            self._missing = 0
            for line in lines:
                name, _, value = line.partition(":")
                if name.lower() == "content-length":
                    self._missing = int(value) if value.strip().isdecimal() else 0
            self._request = request_line
        taken = self._buffer[: self._missing]
        del self._buffer[: len(taken)]
        self._missing -= len(taken)
        self._body += taken[: MAX_BODY - len(self._body)]
        if self._missing:
            return False
        method, _, rest = self._request.partition(" ")
        body, self._request, self._body = bytes(self._body), None, bytearray()
        self._handler.runtime_request(self, method, rest.partition(" ")[0], body)
        return True
