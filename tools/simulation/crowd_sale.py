"""Many buyers for few seats, over HTTP: `make stampede` (2,000 buyers, 200 seats), or

    python -m tools.simulation.crowd_sale 200 20

Every buyer enters the queue, waits for admission, reads the seat map, and tries to hold free seats until one is theirs
or none is left. Some buyers release their hold and some payments are declined; other buyers get these seats. It ends
when every buyer has a ticket or got the answer that the event is sold out. Then the invariants are checked.

The buyers have access tokens from the start: 2,000 logins would take longer than the sale, and are measured elsewhere.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import jwt

from tools.demo.buyer import log_in
from tools.invariants import Violation
from tools.invariants.__main__ import settled, table
from tools.throwaway_stack import throwaway_stack

# Requests at once. The emulator starts an environment for each request that finds none free, up to six a function; more
# would keep two cores busy with cold starts.
AT_ONCE = 8
WARM_UP_BUYERS = 12  # buy on another event first, so that the crowd meets warm functions
GIVES_UP, DECLINED = 0.05, 0.05  # parts of the buyers who hold a seat


class TooLate(Exception):
    """The deadline of the run has passed."""


@dataclass
class Crowd:
    """The result for all buyers; times in seconds since the start."""

    buyers: int
    seats: int
    sold: int = 0  # seats that the event shows as SOLD at the end
    bought: list[float] = field(default_factory=list)
    sold_out: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)  # these must not happen
    violations: list[Violation] = field(default_factory=list)
    took: float = 0

    @property
    def passed(self) -> bool:
        complete = len(self.bought) + len(self.sold_out) == self.buyers
        return complete and len(self.bought) == self.sold == self.seats and not (self.failures or self.violations)

    def report(self) -> str:
        lines = [
            ("buyers", f"{self.buyers:,}"),
            ("seats", f"{self.seats:,}"),
            ("tickets", f"{len(self.bought):,}"),
            ("seats SOLD in the event's seat list", f"{self.sold:,}"),
            ("oversold", f"{max(0, len(self.bought) - self.seats):,}"),
            ("buyers answered that it is sold out", f"{len(self.sold_out):,}"),
            ("s until a ticket, p50 / p95 / last", _times(self.bought)),
            ("s until answered sold out, p50 / p95 / last", _times(self.sold_out)),
            ("requests; requests a second", f"{self.answers.total():,}, {self.answers.total() / self.took:,.0f}"),
            ("failures", str(dict(self.failures) or 0)),
            ("invariants violated", f"{len(self.violations)}"),
        ]
        answers = [f"| {answer} | {count:,} |" for answer, count in sorted(self.answers.items())]
        figures = ["| | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in lines)]
        return "\n".join([*figures, "", "| response | times |", "|---|---:|", *answers])


def _times(times: Sequence[float]) -> str:
    if len(times) < 2:
        return "–"
    cuts = statistics.quantiles(times, n=20)
    return f"{cuts[9]:.1f} / {cuts[18]:.1f} / {max(times):.1f}"


class _Buyer:
    def __init__(self, sale_run: "_SaleRun", number: int) -> None:
        self._run = sale_run
        self._random = random.Random(number)
        self._headers = {"Authorization": f"Bearer {sale_run.access_token()}"}

    async def _call(self, method: str, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
        """Status and body of the response. Retries after `Retry-After`, as often as there is one."""
        headers = self._headers | ({"X-Queue-Token": token} if token else {})
        while True:
            status, answer, wait = await self._run.send(method, self._run.api + path, body, headers)
            if status not in (429, 503) or wait is None:
                return status, answer
            await asyncio.sleep(wait)

    async def buy(self) -> bool:
        """True if the buyer gets a ticket."""
        event = self._run.event_id
        token = await self._admission(event)
        while True:
            self._run.check_time()
            status, live = await self._call("GET", f"/reservations/seats/{event}", token=token)
            if status != 200:
                continue
            if live["seats"]["sold"] == live["seats"]["total"]:
                return False
            taken = {*live["held"], *live["sold"]}
            free = [seat for seat in self._run.seat_ids if seat not in taken]
            if not free:
                await asyncio.sleep(1)  # all are held; some may become free again
                continue
            body = {"eventId": event, "seatIds": [self._random.choice(free)]}
            status, held = await self._call("POST", "/reservations/hold", body, token)
            if status == 201 and await self._pay(held):
                return True
            # After a lost response the buyer has a hold already: release it and try again.
            if status == 409 and held["code"] == "HOLD_EXISTS":
                await self._call("DELETE", f"/reservations/hold/{held['details']['reservationId']}")
            if status == 409 and held["code"] == "TOO_MANY_HOLDS":
                await self._call("DELETE", f"/queue/leave?eventId={event}")
                token = await self._admission(event)

    async def _admission(self, event: str) -> str:
        while True:
            self._run.check_time()
            status, place = await self._call("GET", f"/queue/status?eventId={event}")
            if status == 404:  # not in the queue yet
                status, place = await self._call("POST", "/queue/enter", {"eventId": event})
            if status == 200 and place["status"] == "ADMITTED":
                return str(place["token"])
            await asyncio.sleep(place.get("pollAfterSeconds", 1) if status == 200 else 1)

    async def _pay(self, held: Mapping[str, Any]) -> bool:
        """True if the buyer has paid for the seat; otherwise the hold is over."""
        token, reservation, dice = held["paymentToken"], held["reservationId"], self._random.random()
        if dice < GIVES_UP:
            await self._call("DELETE", f"/reservations/hold/{reservation}")
            return False
        body = {"reservationId": reservation, "paymentKey": uuid4().hex, "method": "CARD"}
        status, payment = await self._call("POST", "/payments", body, token)
        while status >= 500:  # the same key gives the same payment
            self._run.check_time()
            status, payment = await self._call("POST", "/payments", body, token)
        if status not in (200, 201):
            return False
        outcome = "FAILED" if dice < GIVES_UP + DECLINED else "AUTHORIZED"
        pay = f"{self._run.sandbox}/sandbox/payments/{payment['paymentId']}/pay"
        _, approved, _ = await self._run.send("POST", pay, {"outcome": outcome}, {})
        body = {"paymentId": payment["paymentId"]}
        if outcome == "AUTHORIZED":
            body["portonePaymentToken"] = approved["paymentToken"]
        while True:
            self._run.check_time()
            status, _ = await self._call("POST", "/payments/confirm", body, token)
            if status < 500:
                return status == 200


class _SaleRun:
    def __init__(self, stack: Mapping[str, Any], crowd: Crowd, seconds: float) -> None:
        self.api, self.sandbox = stack["api"], stack["sandbox"]
        self.access_token = access_tokens(stack)
        self._crowd = crowd
        self._seconds = seconds
        self.event_id, self.seat_ids = create_event(self.api, crowd.seats)

    def check_time(self) -> None:
        if time.monotonic() - self._began > self._seconds:
            raise TooLate

    async def send(
        self, method: str, url: str, body: object, headers: Mapping[str, str]
    ) -> tuple[int, Any, float | None]:
        """Status, body, and the seconds of `Retry-After` if there is one."""
        async with self._requests, self._session.request(method, url, json=body, headers=headers) as response:
            text = await response.text()
            answer = json.loads(text) if text else None
            wait = response.headers.get("Retry-After")
        path = url.removeprefix(self.api).removeprefix(self.sandbox).partition("?")[0]
        steps = "/".join(part for part in path.split("/") if "-" not in part)
        code = answer.get("code", "") if isinstance(answer, dict) else ""
        self._crowd.answers[f"{method} {steps} {response.status} {code}".strip()] += 1
        return response.status, answer, float(wait) if wait else None

    async def run(self) -> None:
        self._requests = asyncio.Semaphore(AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE), timeout=timeout) as session:
            self._session, self._began = session, time.monotonic()
            progress = asyncio.create_task(self._print_progress())
            await asyncio.gather(*(self._one_buyer(_Buyer(self, number)) for number in range(self._crowd.buyers)))
            progress.cancel()
            self._crowd.took = time.monotonic() - self._began

    async def _print_progress(self) -> None:
        crowd = self._crowd
        while True:
            await asyncio.sleep(30)
            print(
                f"after {time.monotonic() - self._began:.0f} s: {len(crowd.bought)} of {crowd.buyers} have a ticket, "
                f"{len(crowd.sold_out)} were answered that it is sold out; {crowd.answers.total():,} requests",
                flush=True,
            )

    async def _one_buyer(self, buyer: _Buyer) -> None:
        try:
            has_ticket = await buyer.buy()
        except TooLate:
            self._crowd.failures["no final answer in time"] += 1
            return
        (self._crowd.bought if has_ticket else self._crowd.sold_out).append(time.monotonic() - self._began)


def access_tokens(stack: Mapping[str, Any]) -> Callable[[], str]:
    """A function that returns the access token of a new user at each call, as a login would."""
    secrets = json.loads((Path(stack["state"]) / "secrets.json").read_text(encoding="utf-8"))
    key = secrets["jwt/signing"]["keys"][0]

    def token() -> str:
        now = int(time.time())
        claims = {
            **{name: str(uuid4()) for name in ("sub", "sid", "jti")},
            "role": "USER",
            "iat": now,
            "exp": now + 3600,
            "iss": "ticketing",
            "aud": "ticketing-api",
        }
        return jwt.encode(claims, key["pem"], algorithm="ES256", headers={"kid": key["kid"]})

    return token


def create_event(api: str, seats: int) -> tuple[str, list[str]]:
    """Create an event with this many seats and the highest admission rate. Returns its id and its seats' ids."""
    admin = log_in(api, "admin@example.com", "local-admin-1234")
    venue = admin("POST", "/venues", {"name": "Hall", "address": "1 Street", "city": "Seoul"})
    rows = max(1, seats // 20)
    section = {"name": "A", "grade": "VIP", "rows": rows, "seatsPerRow": seats // rows}
    hall = admin("POST", f"/venues/{venue['id']}/halls", {"name": "Hall", "seatTemplate": {"sections": [section]}})
    now = datetime.now(UTC)
    body = {
        "title": "Stampede",
        "artist": "Artist",
        "venueId": venue["id"],
        "hallId": hall["id"],
        "startsAt": (now + timedelta(days=30)).isoformat(),
        "endsAt": (now + timedelta(days=31)).isoformat(),
        "saleStartsAt": (now - timedelta(minutes=1)).isoformat(),
        "saleEndsAt": (now + timedelta(days=29)).isoformat(),
        "prices": {"VIP": 150_000},
        "admissionPerSecond": 1000,
    }
    event = admin("POST", "/events", body)
    listed = admin("GET", f"/events/{event['id']}/seats")
    ids = [seat["id"] for grade in listed["grades"] for seat in grade["seats"]]
    if len(ids) != seats:
        raise ValueError(f"{seats} seats cannot be divided into full rows")
    return event["id"], ids


def crowd_sale(stack: Mapping[str, Any], buyers: int, seats: int, seconds: float) -> Crowd:
    """Run the sale on a stack that has a `state` folder. Ends after `seconds` at the latest."""
    asyncio.run(_SaleRun(stack, Crowd(WARM_UP_BUYERS, 10), seconds).run())
    crowd, logs = Crowd(buyers, seats), Path(stack["state"]) / "logs" / "functions.log"
    sale_run, log_size = _SaleRun(stack, crowd, seconds), logs.stat().st_size
    asyncio.run(sale_run.run())
    # The gateway also returns 500 for a function that timed out. On two cores that happens, and buyers retry. A 500
    # that a function returns is a fault of the product.
    with logs.open("rb") as lines:
        lines.seek(log_size)
        errors = sum(b'\\"status\\":500,' in line for line in lines)
    crowd.failures += Counter({"500 by a function": errors} if errors else {})
    crowd.violations = settled(stack, within=60)
    listed = log_in(stack["api"], "admin@example.com", "local-admin-1234")("GET", f"/events/{sale_run.event_id}/seats")
    crowd.sold = sum(seat["status"] == "SOLD" for grade in listed["grades"] for seat in grade["seats"])
    return crowd


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.simulation.crowd_sale", description=__doc__)
    parser.add_argument("buyers", type=int, nargs="?", default=2000)
    parser.add_argument("seats", type=int, nargs="?", default=200)
    parser.add_argument("--seconds", type=float, default=480, help="every buyer must have a final answer by then")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f} before the run\n", flush=True)
    # All buyers share one address, so there are no rate limits, for buyers or for services.
    with throwaway_stack(RateLimits="off", InternalCallsPerMinute="1000000") as stack:
        crowd = crowd_sale(stack, arguments.buyers, arguments.seats, arguments.seconds)
    print(crowd.report(), "\n")
    print(table(crowd.violations))
    print("\n".join(map(str, crowd.violations[:20])))
    print("passed" if crowd.passed else "FAILED")
    sys.exit(0 if crowd.passed else 1)


if __name__ == "__main__":
    main()
