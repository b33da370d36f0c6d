"""The daemon's own small HTTP endpoint, which the command `status` reads."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from emulator.ports import HOST, free_port


@asynccontextmanager
async def serve(status: Callable[[], dict[str, Any]]) -> AsyncIterator[str]:
    """Serves `GET /status` on a free port and yields the URL."""

    async def respond(_: web.Request) -> web.Response:
        return web.json_response(status())

    app = web.Application()
    app.router.add_get("/status", respond)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        port = free_port()
        await web.TCPSite(runner, HOST, port).start()
        yield f"http://{HOST}:{port}"
    finally:
        await runner.cleanup()
