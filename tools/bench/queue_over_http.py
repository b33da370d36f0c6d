"""The queue over HTTP, part of `make bench-queue`: enter and status through the emulator, with the authorizer. 46,000
users wait at the start, 50,000 at the end, and each call is from another user. The waiting users are written to the
stack's Redis, and the access tokens are signed with its key.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp

from common.domain.ids import EventId, SessionId, UserId
from common.stores.redis import connect
from functions.auth.adapters.access_token_jwt import AccessTokenSigner
from functions.auth.domain.account import Role
from functions.auth.domain.token_claims import TokenParties
from tools.bench.queue import add_waiting_users
from tools.demo.buyer import Api, log_in
from tools.throwaway_stack import throwaway_stack

CONNECTIONS = (1, 8, 32)
CALLS = 1_000  # of each kind
WAITING_AT_START = 46_000  # a queue's capacity is 50,000


def measure() -> None:
    with throwaway_stack(RateLimits="off") as stack:
        signer = _signer(Path(stack["state"]))
        admin = log_in(stack["api"], "admin@example.com", "local-admin-1234")
        event_id = EventId(_event(admin))
        # No user is admitted meanwhile. The first enter writes the sale terms.
        admin("PUT", f"/queue/admin/events/{event_id}", {"paused": True})
        body = json.dumps({"eventId": str(event_id)})
        asyncio.run(_load(stack["api"], "POST", "/queue/enter", _headers(signer, [uuid4(), uuid4(), uuid4()]), body, 1))
        waiting = add_waiting_users(connect(stack["redis"], cluster=False), event_id, WAITING_AT_START)
        print("\n| through the emulator | connections | a second | p50 ms | p95 ms | p99 ms |")
        print("|---|---:|---:|---:|---:|---:|")
        for connections in CONNECTIONS:
            new_users = [uuid4() for _ in range(CALLS)]
            waiting_users = waiting[:: len(waiting) // CALLS][:CALLS]
            for name, method, path, users, sent in (
                ("enter", "POST", "/queue/enter", new_users, body),
                ("status", "GET", f"/queue/status?eventId={event_id}", waiting_users, None),
            ):
                took, times = asyncio.run(_load(stack["api"], method, path, _headers(signer, users), sent, connections))
                cuts = statistics.quantiles(times, n=100)
                print(
                    f"| {name} | {connections} | {len(times) / took:,.0f} "
                    f"| {statistics.median(times):.1f} | {cuts[94]:.1f} | {cuts[98]:.1f} |"
                )


def _signer(state: Path) -> AccessTokenSigner:
    secrets = json.loads((state / "secrets.json").read_text(encoding="utf-8"))
    key = secrets["jwt/signing"]["keys"][0]
    return AccessTokenSigner(lambda: key, TokenParties("ticketing", "ticketing-api"), 3600)


def _headers(signer: AccessTokenSigner, users: Sequence[UUID]) -> list[dict[str, str]]:
    now = datetime.now(UTC)
    tokens = (signer.sign(UserId(user), Role.USER, SessionId(uuid4()), uuid4(), now) for user in users)
    return [{"Authorization": f"Bearer {token}", "Content-Type": "application/json"} for token in tokens]


def _event(admin: Api) -> UUID:
    venue = admin("POST", "/venues", {"name": "Hall", "address": "1 Street", "city": "Seoul"})
    template = {"sections": [{"name": "A", "grade": "VIP", "rows": 50, "seatsPerRow": 50}]}
    hall = admin("POST", f"/venues/{venue['id']}/halls", {"name": "Hall", "seatTemplate": template})
    now = datetime.now(UTC)
    times = {"saleStartsAt": -1, "saleEndsAt": 29, "startsAt": 30, "endsAt": 31}
    event: dict[str, Any] = admin(
        "POST",
        "/events",
        {
            "title": "Bench",
            "artist": "Bench",
            "venueId": venue["id"],
            "hallId": hall["id"],
            "prices": {"VIP": 1000},
            **{name: (now + timedelta(days=days)).isoformat() for name, days in times.items()},
        },
    )
    return UUID(event["id"])


async def _load(
    api: str, method: str, path: str, headers: Sequence[dict[str, str]], body: str | None, connections: int
) -> tuple[float, list[float]]:
    """The total seconds, and the milliseconds of each call. A connection sends its next request after each response.

    Raises RuntimeError for a status other than 200.
    """
    left, times = list(headers[connections:]), list[float]()

    async def one(session: aiohttp.ClientSession, left: list[dict[str, str]]) -> None:
        while left:
            header = left.pop()
            began = time.perf_counter()
            async with session.request(method, api + path, headers=header, data=body) as response:
                text = await response.text()
            times.append((time.perf_counter() - began) * 1000)
            if response.status != 200:
                raise RuntimeError(f"{method} {path}: {response.status} {text}")

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        warm_up = [one(session, [header]) for header in headers[:connections]]
        await asyncio.gather(*warm_up)  # starts environments; cold starts are not measured
        times.clear()
        began = time.perf_counter()
        await asyncio.gather(*(one(session, left) for _ in range(connections)))
        return time.perf_counter() - began, times
