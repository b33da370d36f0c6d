"""Builds the sandbox and serves it on 127.0.0.1."""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from aiohttp import web
from aiohttp.typedefs import Handler

from local.sandbox.bodies import InvalidBody, error_response
from local.sandbox.buyer import Buyer
from local.sandbox.clock import Clock, utc_now
from local.sandbox.faults import Faults
from local.sandbox.google import Google
from local.sandbox.idempotency import IdempotencyKeys
from local.sandbox.identity import IdentityVerifications
from local.sandbox.kakao import Kakao
from local.sandbox.naver import Naver
from local.sandbox.oauth import Client
from local.sandbox.payments import Payments
from local.sandbox.portone import PaymentsApi, PortOneMiddleware
from local.sandbox.recaptcha import Recaptcha
from local.sandbox.settings import Settings
from local.sandbox.webhooks import RETRY_AFTER, WebhookSender

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Dependencies:
    """Clock, ids, randomness and retry times, which tests replace."""

    clock: Clock = utc_now
    new_id: Callable[[], str] = lambda: str(uuid4())
    chance: Callable[[], float] = random.random
    webhook_retry_after: Sequence[float] = RETRY_AFTER


def make_app(settings: Settings, webhook_url: str, dependencies: Dependencies) -> web.Application:
    """The whole sandbox as one application. Needs a running event loop."""
    webhooks = WebhookSender(
        webhook_url, settings, dependencies.clock, dependencies.new_id, dependencies.webhook_retry_after
    )
    payments = Payments(dependencies.clock, dependencies.new_id, webhooks.send)
    faults = Faults(dependencies.chance)
    middleware = PortOneMiddleware(settings, faults, IdempotencyKeys(dependencies.clock))

    app = web.Application(middlewares=[_errors_in_json])
    app.router.add_get("/health", _health)
    for party in (
        PaymentsApi(settings, payments, middleware),
        IdentityVerifications(settings, middleware, dependencies.clock, dependencies.new_id),
        Recaptcha(settings, faults, dependencies.clock),
        Kakao(Client(settings.kakao_client_id, settings.kakao_client_secret), faults, dependencies.clock),
        Naver(Client(settings.naver_client_id, settings.naver_client_secret), faults, dependencies.clock),
        Google(Client(settings.google_client_id, settings.google_client_secret), faults, dependencies.clock),
        Buyer(payments),
        faults,
    ):
        app.router.add_routes(party.routes())

    async def close_webhooks(_app: web.Application) -> None:
        await webhooks.close()

    app.on_cleanup.append(close_webhooks)
    return app


@asynccontextmanager
async def serve(
    settings: Settings, webhook_url: str, port: int = 0, dependencies: Dependencies | None = None
) -> AsyncIterator[str]:
    """Serves the sandbox for as long as the block lasts, and yields its URL. Port 0 means any free port."""
    runner = web.AppRunner(
        make_app(settings, webhook_url, dependencies or Dependencies()),
        handler_cancellation=True,  # a request delayed by a `timeout` fault ends when its client disconnects
        shutdown_timeout=0.5,  # seconds; requests delayed by a fault would also delay the shutdown
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
        return error_response(400, "INVALID_REQUEST", str(error))
    except web.HTTPError as error:
        response = error_response(error.status, error.reason.upper().replace(" ", "_"), error.reason)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
