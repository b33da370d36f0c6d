"""aiohttp's server without its Server header and its HTML error pages, which AWS does not send."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from emulator.stack import StackError

Serve = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

# Above the gateway's own limits, so that the client gets the gateway's response.
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
            return _plain_response(super().handle_error(request, status, exc, message).status)
        return _plain_response(status)  # a client error: no traceback in the log


class HttpServer(web.Server):
    """Call `listen` to start, `close` to stop."""

    def __init__(self, serve: Serve, **options: Any) -> None:
        super().__init__(serve, access_log=None, max_line_size=_MAX_LINE, max_field_size=_MAX_HEADERS, **options)
        self._listener: asyncio.Server | None = None

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    async def listen(self, what: str, host: str, port: int) -> int:
        """Returns the port; raises StackError, which names `what`, if it is taken."""
        try:
            self._listener = await self._loop.create_server(self, host, port, backlog=1024)
        except OSError as error:
            raise StackError(f"{what}: cannot listen on {host}:{port}: {error.strerror}") from None
        listening: int = self._listener.sockets[0].getsockname()[1]
        return listening

    async def close(self) -> None:
        """Stops listening and drops the connections."""
        if self._listener is not None:
            self._listener.close()
        await self.shutdown(timeout=0.2)


def _plain_response(status: int) -> web.StreamResponse:
    response = Response(status=status, text=HTTPStatus(status).phrase)
    response.force_close()
    return response
