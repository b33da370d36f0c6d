"""Many buyers for few seats, over HTTP: `make stampede` (2,000 buyers, 200 seats), or

    python -m tools.simulation.crowd_sale 200 20

Everybody enters, waits, is let in, looks at the map, and tries free seats until one is his or none is left. Of those
who hold one some think better of it and some have their card declined; their seats go to others. It ends when everybody
has a ticket or was told that there is none, and then the invariants are looked at.

The buyers are signed in already: sign-ins are measured elsewhere, and 2,000 would take longer than the sale.
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

# Requests under way. The emulator starts an environment for each that finds none free, up to six a function, and two
# cores are then busy with cold starts.
AT_ONCE = 8
EARLY_BIRDS = 12  # buy on an event of their own first: a crowd that meets nothing but cold starts is another drill
CHANGES_MIND, DECLINED = 0.05, 0.05  # of those who hold a seat


class TooLate(Exception):
    """The deadline of the drill has passed."""


@dataclass
class Crowd:
    """What became of everybody; times in seconds from the first one's arrival."""

    buyers: int
    seats: int
    sold: int = 0  # as the event shows it at the end
    bought: list[float] = field(default_factory=list)
    turned_away: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)  # what should happen to nobody
    violations: list[Violation] = field(default_factory=list)
    took: float = 0

    @property
    def sound(self) -> bool:
        everybody = len(self.bought) + len(self.turned_away) == self.buyers
        return everybody and len(self.bought) == self.sold == self.seats and not (self.failures or self.violations)

    def report(self) -> str:
        lines = [
            ("buyers", f"{self.buyers:,}"),
            ("seats", f"{self.seats:,}"),
            ("tickets", f"{len(self.bought):,}"),
            ("seats SOLD, as the event shows them", f"{self.sold:,}"),
            ("oversold", f"{max(0, len(self.bought) - self.seats):,}"),
            ("told that none is left", f"{len(self.turned_away):,}"),
            ("s until a ticket, p50 / p95 / last", _times(self.bought)),
            ("s until told, p50 / p95 / last", _times(self.turned_away)),
            ("requests, and a second", f"{self.answers.total():,}, {self.answers.total() / self.took:,.0f}"),
            ("what should happen to nobody", str(dict(self.failures) or 0)),
            ("invariants violated", f"{len(self.violations)}"),
        ]
        answers = [f"| {answer} | {count:,} |" for answer, count in sorted(self.answers.items())]
        figures = ["| | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in lines)]
        return "\n".join([*figures, "", "| answer | times |", "|---|---:|", *answers])


def _times(times: Sequence[float]) -> str:
    if len(times) < 2:
        return "–"
    cuts = statistics.quantiles(times, n=20)
    return f"{cuts[9]:.1f} / {cuts[18]:.1f} / {max(times):.1f}"


class _Buyer:
    def __init__(self, drill: "_Drill", number: int) -> None:
        self._drill = drill
        self._chance = random.Random(number)
        self._headers = {"Authorization": f"Bearer {drill.access_token()}"}

    async def _call(self, method: str, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
        """The answer; one that asks to come back later is waited for."""
        headers = self._headers | ({"X-Queue-Token": token} if token else {})
        while True:
            status, answer, wait = await self._drill.send(method, self._drill.api + path, body, headers)
            if status not in (429, 503) or wait is None:
                return status, answer
            await asyncio.sleep(wait)

    async def buy(self) -> bool:
        """Whether there is a ticket in the end."""
        event = self._drill.event_id
        token = await self._admission(event)
        while True:
            self._drill.check_time()
            status, live = await self._call("GET", f"/reservations/seats/{event}", token=token)
            if status != 200:
                continue
            if live["seats"]["sold"] == live["seats"]["total"]:
                return False
            taken = {*live["held"], *live["sold"]}
            free = [seat for seat in self._drill.seat_ids if seat not in taken]
            if not free:
                await asyncio.sleep(1)  # all are held, and some of them may come back
                continue
            body = {"eventId": event, "seatIds": [self._chance.choice(free)]}
            status, held = await self._call("POST", "/reservations/hold", body, token)
            if status == 201 and await self._pay(held):
                return True
            if (
                status == 409 and held["code"] == "HOLD_EXISTS"
            ):  # an answer was lost: he has one already, and begins anew
                await self._call("DELETE", f"/reservations/hold/{held['details']['reservationId']}")

    async def _admission(self, event: str) -> str:
        while True:
            self._drill.check_time()
            status, place = await self._call("GET", f"/queue/status?eventId={event}")
            if status == 404:  # not yet in line
                status, place = await self._call("POST", "/queue/enter", {"eventId": event})
            if status == 200 and place["status"] == "ADMITTED":
                return str(place["token"])
            await asyncio.sleep(place.get("pollAfterSeconds", 1) if status == 200 else 1)

    async def _pay(self, held: Mapping[str, Any]) -> bool:
        """Whether the seat is his; if not, it is not any more."""
        token, reservation, dice = held["paymentToken"], held["reservationId"], self._chance.random()
        if dice < CHANGES_MIND:
            await self._call("DELETE", f"/reservations/hold/{reservation}")
            return False
        body = {"reservationId": reservation, "paymentKey": uuid4().hex, "method": "CARD"}
        status, payment = await self._call("POST", "/payments", body, token)
        while status >= 500:  # the same key: the same payment
            self._drill.check_time()
            status, payment = await self._call("POST", "/payments", body, token)
        if status not in (200, 201):
            return False
        outcome = "FAILED" if dice < CHANGES_MIND + DECLINED else "AUTHORIZED"
        pay = f"{self._drill.sandbox}/sandbox/payments/{payment['paymentId']}/pay"
        _, approved, _ = await self._drill.send("POST", pay, {"outcome": outcome}, {})
        body = {"paymentId": payment["paymentId"]}
        if outcome == "AUTHORIZED":
            body["portonePaymentToken"] = approved["paymentToken"]
        while True:
            self._drill.check_time()
            status, _ = await self._call("POST", "/payments/confirm", body, token)
            if status < 500:
                return status == 200


class _Drill:
    def __init__(self, stack: Mapping[str, Any], crowd: Crowd, seconds: float) -> None:
        self.api, self.sandbox = stack["api"], stack["sandbox"]
        self.access_token = signed_in(stack)
        self._crowd = crowd
        self._seconds = seconds
        self.event_id, self.seat_ids = event_of(self.api, crowd.seats)

    def check_time(self) -> None:
        if time.monotonic() - self._began > self._seconds:
            raise TooLate

    async def send(
        self, method: str, url: str, body: object, headers: Mapping[str, str]
    ) -> tuple[int, Any, float | None]:
        """Status, answer, and in how many seconds to come back, if it says."""
        async with self._turns, self._session.request(method, url, json=body, headers=headers) as response:
            text = await response.text()
            answer = json.loads(text) if text else None
            wait = response.headers.get("Retry-After")
        path = url.removeprefix(self.api).removeprefix(self.sandbox).partition("?")[0]
        steps = "/".join(part for part in path.split("/") if "-" not in part)
        code = answer.get("code", "") if isinstance(answer, dict) else ""
        self._crowd.answers[f"{method} {steps} {response.status} {code}".strip()] += 1
        return response.status, answer, float(wait) if wait else None

    async def run(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE), timeout=timeout) as session:
            self._session, self._began = session, time.monotonic()
            telling = asyncio.create_task(self._tell())
            await asyncio.gather(*(self._person(_Buyer(self, number)) for number in range(self._crowd.buyers)))
            telling.cancel()
            self._crowd.took = time.monotonic() - self._began

    async def _tell(self) -> None:
        crowd = self._crowd
        while True:
            await asyncio.sleep(30)
            print(
                f"after {time.monotonic() - self._began:.0f} s: {len(crowd.bought)} of {crowd.buyers} have a ticket, "
                f"{len(crowd.turned_away)} were told there is none; {crowd.answers.total():,} requests",
                flush=True,
            )

    async def _person(self, buyer: _Buyer) -> None:
        try:
            has_one = await buyer.buy()
        except TooLate:
            self._crowd.failures["neither ticket nor word in time"] += 1
            return
        (self._crowd.bought if has_one else self._crowd.turned_away).append(time.monotonic() - self._began)


def signed_in(stack: Mapping[str, Any]) -> Callable[[], str]:
    """An access token of somebody new, as a sign-in would give it, as often as called."""
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


def event_of(api: str, seats: int) -> tuple[str, list[str]]:
    """An event of that many seats that lets in as many a second as it may; its id and its seats'."""
    admin = log_in(api, "admin@example.com", "local-admin-1234")
    venue = admin("POST", "/venues", {"name": "Hall", "address": "1 Street", "city": "Seoul"})
    rows = max(1, seats // 20)
    section = {"name": "A", "grade": "VIP", "rows": rows, "seatsPerRow": seats // rows}
    hall = admin("POST", f"/venues/{venue['id']}/halls", {"name": "Hall", "seatTemplate": {"sections": [section]}})
    now = datetime.now(UTC)
    body = {
        "title": "Stampede",
        "artist": "Everybody's",
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
        raise ValueError(f"{seats} seats do not make whole rows")
    return event["id"], ids


def crowd_sale(stack: Mapping[str, Any], buyers: int, seats: int, seconds: float) -> Crowd:
    """Lets a crowd loose on a stack whose `state` folder is named; it ends after so many `seconds` at the latest."""
    asyncio.run(_Drill(stack, Crowd(EARLY_BIRDS, 10), seconds).run())
    crowd, logs = Crowd(buyers, seats), Path(stack["state"]) / "logs" / "functions.log"
    drill, heard = _Drill(stack, crowd, seconds), logs.stat().st_size
    asyncio.run(drill.run())
    # The gateway answers 500, too, for a function that ran out of time: on two cores that happens, and people try
    # again. What a function answers 500 is a fault of ours.
    with logs.open("rb") as lines:
        lines.seek(heard)
        ours = sum(b'\\"status\\":500,' in line for line in lines)
    crowd.failures += Counter({"500 by a function": ours} if ours else {})
    crowd.violations = settled(stack, within=60)
    listed = log_in(stack["api"], "admin@example.com", "local-admin-1234")("GET", f"/events/{drill.event_id}/seats")
    crowd.sold = sum(seat["status"] == "SOLD" for grade in listed["grades"] for seat in grade["seats"])
    return crowd


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.simulation.crowd_sale", description=__doc__)
    parser.add_argument("buyers", type=int, nargs="?", default=2000)
    parser.add_argument("seats", type=int, nargs="?", default=200)
    parser.add_argument("--seconds", type=float, default=480, help="everybody must have been told by then")
    asked = parser.parse_args()
    print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f} before the run\n", flush=True)
    # One machine plays a city: nobody's requests are counted, neither buyers' nor services'.
    with throwaway_stack(RateLimits="off", InternalCallsPerMinute="1000000") as stack:
        crowd = crowd_sale(stack, asked.buyers, asked.seats, asked.seconds)
    print(crowd.report(), "\n")
    print(table(crowd.violations))
    print("\n".join(map(str, crowd.violations[:20])))
    print("sound" if crowd.sound else "NOT SOUND")
    sys.exit(0 if crowd.sound else 1)


if __name__ == "__main__":
    main()
