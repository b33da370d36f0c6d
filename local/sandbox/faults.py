"""Faults on demand, for the simulated APIs but never for `/sandbox/**`."""

import asyncio
import random
from collections.abc import Callable
from enum import StrEnum
from typing import Self

from aiohttp import web
from pydantic import Field, model_validator

from local.sandbox.bodies import SandboxBody, read_body


class Mode(StrEnum):
    """What goes wrong."""

    NONE = "none"
    ERROR = "error"  # nothing is done; the response is a 500 or a 502
    TIMEOUT = "timeout"  # done, but no response
    SLOW = "slow"  # done at once, with a late response


class FaultPlan(SandboxBody):
    """The body of `PUT /sandbox/faults`; each PUT replaces the whole plan."""

    mode: Mode
    rate: float = Field(default=1.0, ge=0, le=1, allow_inf_nan=False)  # the share of affected requests
    latency_ms: int = Field(default=0, ge=0, le=600_000)  # only `slow` uses it

    @model_validator(mode="after")
    def _slow_needs_a_latency(self) -> Self:
        if self.mode is Mode.SLOW and self.latency_ms == 0:
            message = "slow needs a latencyMs above 0"
            raise ValueError(message)
        return self


NO_FAULTS = FaultPlan(mode=Mode.NONE)


class Fault:
    """What happens to one request."""

    def __init__(self, mode: Mode, latency: float) -> None:
        self.mode = mode
        self._latency = latency  # seconds

    async def delay(self) -> None:
        """Delays the response: `slow` for the latency, `timeout` until the client disconnects.

        The server cancels a handler whose client has disconnected, which ends the wait.
        """
        if self.mode is Mode.SLOW:
            await asyncio.sleep(self._latency)
        elif self.mode is Mode.TIMEOUT:
            await asyncio.Event().wait()


class Faults:
    """The current plan."""

    def __init__(self, chance: Callable[[], float] = random.random, plan: FaultPlan = NO_FAULTS) -> None:
        self._chance = chance  # uniform in [0, 1)
        self._plan = plan

    def draw(self) -> Fault:
        """Chooses the fault of one request."""
        affected = self._chance() < self._plan.rate
        return Fault(self._plan.mode if affected else Mode.NONE, self._plan.latency_ms / 1000)

    def routes(self) -> list[web.RouteDef]:
        """`/sandbox/faults`."""
        return [web.put("/sandbox/faults", self._put), web.get("/sandbox/faults", self._get)]

    async def _put(self, request: web.Request) -> web.Response:
        self._plan = await read_body(request, FaultPlan)
        return await self._get(request)

    async def _get(self, _request: web.Request) -> web.Response:
        return web.json_response(self._plan.model_dump(mode="json", by_alias=True))
