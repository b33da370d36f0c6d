"""Puts the outside parties together and serves them on 127.0.0.1."""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from aiohttp import web
from aiohttp.typedefs import Handler

from local.sandbox.bank import Bank
from local.sandbox.bodies import InvalidBody, refuse
from local.sandbox.buyer import Buyer
from local.sandbox.clock import Clock, utc_now
from local.sandbox.faults import Faults
from local.sandbox.google import Google
from local.sandbox.idempotency import IdempotencyKeys
from local.sandbox.identity import IdentityVerifications
from local.sandbox.kakao import Kakao
from local.sandbox.naver import Naver
from local.sandbox.oauth import Client
from local.sandbox.portone import Guard, PortOnePayments
from local.sandbox.recaptcha import Recaptcha
from local.sandbox.settings import Settings
from local.sandbox.webhooks import RETRY_AFTER, WebhookSender

HOST = "127.0.0.1"


@dataclass(frozen=True)
class World:
    """What the sandbox takes from the machine; tests hand in their own."""

    clock: Clock = utc_now
    new_id: Callable[[], str] = lambda: str(uuid4())
    chance: Callable[[], float] = random.random
    webhook_retry_after: Sequence[float] = RETRY_AFTER


def make_app(settings: Settings, webhook_url: str, world: World) -> web.Application:
    """The whole sandbox as one application. Needs a running event loop."""
    webhooks = WebhookSender(webhook_url, settings, world.clock, world.new_id, world.webhook_retry_after)
    bank = Bank(world.clock, world.new_id, webhooks.announce)
    faults = Faults(world.chance)
    guard = Guard(settings, faults, IdempotencyKeys(world.clock))

    app = web.Application(middlewares=[_errors_in_json])
    app.router.add_get("/health", _health)
    for party in (
        PortOnePayments(settings, bank, guard),
        IdentityVerifications(settings, guard, world.clock, world.new_id),
        Recaptcha(settings, faults, world.clock),
        Kakao(Client(settings.kakao_client_id, settings.kakao_client_secret), faults, world.clock),
        Naver(Client(settings.naver_client_id, settings.naver_client_secret), faults, world.clock),
        Google(Client(settings.google_client_id, settings.google_client_secret), faults, world.clock),
        Buyer(bank),
        faults,
    ):
        app.router.add_routes(party.routes())

    async def close_webhooks(_app: web.Application) -> None:
        await webhooks.close()

    app.on_cleanup.append(close_webhooks)
    return app


@asynccontextmanager
async def serve(settings: Settings, webhook_url: str, port: int = 0, world: World | None = None) -> AsyncIterator[str]:
    """Serves the sandbox for as long as the block lasts, and yields its URL. Port 0 takes any free one."""
    runner = web.AppRunner(
        make_app(settings, webhook_url, world or World()),
        handler_cancellation=True,  # a request held by a `timeout` fault ends when its caller goes
        shutdown_timeout=0.5,  # seconds; requests held by a fault would otherwise hold the shutdown too
        access_log=None,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


@web.middleware
async def _errors_in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except InvalidBody as error:
        return refuse(400, "INVALID_REQUEST", str(error))
    except web.HTTPError as error:
        response = refuse(error.status, error.reason.upper().replace(" ", "_"), error.reason)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
