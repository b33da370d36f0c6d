"""aiohttp's server without what it says of itself: AWS sends no such Server header and no pages of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from emulator.stack import StackError

Serve = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

# Both above the limits the gateway itself keeps, so that its own answer is the one that is seen.
_MAX_LINE = _MAX_HEADERS = 32 * 1024


class Response(web.Response):
    """A response with no Server header."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self._headers.popall("Server", None)


class _Connection(web.RequestHandler):
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= 500:
            return _plain(super().handle_error(request, status, exc, message).status)
        return _plain(status)  # the client's doing: no traceback of it belongs in a log


class HttpServer(web.Server):
    """Listens with `listen`, ends with `close`."""

    def __init__(self, serve: Serve, **options: Any) -> None:
        super().__init__(serve, access_log=None, max_line_size=_MAX_LINE, max_field_size=_MAX_HEADERS, **options)
        self._listener: asyncio.Server | None = None

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    async def listen(self, what: str, host: str, port: int) -> int:
        """Returns the port; raises StackError, which names `what`, where it is taken."""
        try:
            self._listener = await self._loop.create_server(self, host, port, backlog=1024)
        except OSError as error:
            raise StackError(f"{what}: {host}:{port} cannot be listened on: {error.strerror}") from None
        listening: int = self._listener.sockets[0].getsockname()[1]
        return listening

    async def close(self) -> None:
        """Stops listening and drops the connections."""
        if self._listener is not None:
            self._listener.close()
        await self.shutdown(timeout=0.2)


def _plain(status: int) -> web.StreamResponse:
    answer = Response(status=status, text=HTTPStatus(status).phrase)
    answer.force_close()
    return answer
