"""Measures reads of events: list, detail and seats of a 50,000-seat hall, through the emulator, compared with the bare
stores in the same run.

    make bench-events

Starts a stack and stops it at the end. `python -m tools.bench.events PATH/stack.json` uses a running one and shuts down
its Redis. Three states of the cache: warm; cold (cleared twenty times a second during the load); and none (Redis is
shut down). Prints Markdown.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from common.domain.clock import utc_now
from common.domain.ids import EventId
from common.stores.postgres import Database, Parameters, Row
from common.stores.redis import Client, connect
from functions.events.adapters.event_repository import EventRepository
from functions.events.adapters.read_cache_redis import LIST_KEY, ReadCache, event_key, layout_key, seats_key
from functions.events.adapters.seat_repository import SeatRepository
from functions.events.domain.event import EventPage
from functions.events.domain.event_search import EventSearch
from functions.events.handlers.responses.event_response import render_event, render_page
from functions.events.usecases.event_reader import EventReader
from tools.demo.buyer import log_in
from tools.throwaway_stack import free_port

ROOT = Path(__file__).parents[2]
CONNECTIONS = (1, 16, 64)
SLICE = 2.0  # seconds
CALLS = 3000  # at most, in one slice
BARE = 300
GRADES = ("VIP", "S", "A", "B")
SEARCH = EventSearch()


def main() -> None:
    print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f} before the run\n")
    with _stack() as stack:
        api = stack["api"]
        event_id = _arena(api)
        redis, database = connect(stack["redis"], cluster=False), Database(stack["postgres"])
        paths = {
            "list": "/events?size=20",
            "detail": f"/events/{event_id}",
            "seats": f"/events/{event_id}/seats",
            "seats/layout": f"/events/{event_id}/seats/layout?version=1",
            "seats/status": f"/events/{event_id}/seats/status",
        }
        _print_sizes(api, paths)
        _print_queries(stack["postgres"], redis, event_id)
        bare = _bare(redis, database, event_id)
        print("\n| read | cache | connections | calls a second | p50 ms | p95 ms | failed |")
        print("|---|---|---:|---:|---:|---:|---:|")
        _print_loads(api, paths, "warm")
        with _clearing_cache(redis, event_id):
            _print_loads(api, paths, "cold")
        redis.shutdown(nosave=True)
        _print_loads(api, paths, "no Redis")
        print("\n| bare, in process, one connection | p50 ms | p95 ms |\n|---|---:|---:|")
        for name, times in bare.items():
            print(f"| {name} | {statistics.median(times):.2f} | {statistics.quantiles(times, n=20)[-1]:.2f} |")
    print(f"\nload average {os.getloadavg()[0]:.1f} after the run")


@contextmanager
def _stack() -> Iterator[dict[str, Any]]:
    """The URLs of a new stack on free ports, or of the running one that was named."""
    if len(sys.argv) > 1:
        yield json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        return
    with tempfile.TemporaryDirectory(prefix="bench-events-") as folder:
        ports = ["--port", str(free_port()), "--process-port", f"sandbox={free_port()}"]
        try:
            _emulator("up", "--state", folder, *ports)
            yield json.loads((Path(folder) / "stack.json").read_text(encoding="utf-8"))
        finally:
            _emulator("down", "--state", folder)


def _emulator(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "emulator", *arguments], cwd=ROOT, check=True, capture_output=True)


def _arena(api: str) -> EventId:
    """Create an event with 50,000 seats on sale, and print how long it took."""
    admin = log_in(api, "admin@example.com", "local-admin-1234")
    venue = admin("POST", "/venues", {"name": "Arena", "address": "1 Street", "city": "Seoul"})
    sections = [{"name": f"S{n}", "grade": GRADES[n % 4], "rows": 50, "seatsPerRow": 50} for n in range(20)]
    hall = admin("POST", f"/venues/{venue['id']}/halls", {"name": "Hall", "seatTemplate": {"sections": sections}})
    now = datetime.now(UTC)
    body = {
        "title": "Bench",
        "artist": "Bench",
        "venueId": venue["id"],
        "hallId": hall["id"],
        "startsAt": (now + timedelta(days=30)).isoformat(),
        "endsAt": (now + timedelta(days=31)).isoformat(),
        "saleStartsAt": (now - timedelta(days=1)).isoformat(),
        "saleEndsAt": (now + timedelta(days=29)).isoformat(),
        "prices": dict.fromkeys(GRADES, 1000),
    }
    times = []
    for _ in range(3):
        began = time.perf_counter()
        event = admin("POST", "/events", body)
        times.append(time.perf_counter() - began)
    print(f"POST /events with 50,000 seats: {', '.join(f'{each:.2f} s' for each in times)}\n")
    return EventId(UUID(event["id"]))


def _print_sizes(api: str, paths: dict[str, str]) -> None:
    print("| response | bytes | gzip, as the gateway sends it | again, with If-None-Match |\n|---|---:|---:|---:|")
    with httpx.Client(timeout=30) as client:
        for name, path in paths.items():
            plain = client.get(api + path, headers={"Accept-Encoding": "identity"}).raise_for_status()
            with client.stream("GET", api + path, headers={"Accept-Encoding": "gzip"}) as packed:
                sent = sum(map(len, packed.iter_raw()))
            again = client.get(api + path, headers={"If-None-Match": plain.headers["ETag"]})
            print(f"| {name} | {len(plain.content):,} | {sent:,} | {again.status_code}, {len(again.content)} bytes |")


class _CountingDatabase(Database):
    queries = 0

    def rows(self, sql: str, parameters: Parameters = None) -> list[Row]:
        type(self).queries += 1
        return super().rows(sql, parameters)


def _print_queries(postgres: str, redis: Client, event_id: EventId) -> None:
    """Queries of one request on the same stores: cold, warm, and warm in a new execution environment."""
    print("\n| read | queries, cold | warm | warm, in a new environment |\n|---|---:|---:|---:|")
    reads: dict[str, Callable[[EventReader], object]] = {
        "list": lambda service: service.page(SEARCH, _render_page),
        "detail": lambda service: service.event(event_id, render_event),
        "seats": lambda service: service.seat_list(service.seat_statuses(event_id)),
        "seats/layout": lambda service: service.seat_layout(event_id, service.seat_statuses(event_id).layout_version),
        "seats/status": lambda service: service.seat_statuses(event_id),
    }

    def new_environment() -> EventReader:
        database = _CountingDatabase(postgres)
        cache = ReadCache(lambda: redis, utc_now)
        return EventReader(EventRepository(database, utc_now), SeatRepository(database), cache, utc_now)

    for name, read in reads.items():
        _drop(redis, event_id)
        counts = []
        first, second = new_environment(), new_environment()
        for service in (first, first, second):
            _CountingDatabase.queries = 0
            read(service)
            counts.append(_CountingDatabase.queries)
        print(f"| {name} | {counts[0]} | {counts[1]} | {counts[2]} |")


def _bare(redis: Client, database: Database, event_id: EventId) -> dict[str, list[float]]:
    """Milliseconds of the minimum of each read: a Redis GET of the same size, or the SQL alone."""
    events, seats = EventRepository(database, utc_now), SeatRepository(database)
    texts = {
        "list": _render_page(events.page(SEARCH)),
        "detail": render_event(events.event(event_id)),
        "seats/status": seats.statuses(event_id)[0].to_json(),
    }
    for name, text in texts.items():
        redis.set(f"bench:{name}", text, ex=600)
    calls: dict[str, Callable[[], object]] = {
        **{f"Redis GET of a {name}, {len(text):,} bytes": _getting(redis, name) for name, text in texts.items()},
        "SQL of a list": lambda: events.page(SEARCH),
        "SQL of a detail": lambda: events.event(event_id),
        "SQL of a seats/status": lambda: seats.statuses(event_id),
    }
    return {name: [_milliseconds(call) for _ in range(BARE)] for name, call in calls.items()}


def _getting(redis: Client, name: str) -> Callable[[], object]:
    return lambda: redis.get(f"bench:{name}")


def _milliseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _print_loads(api: str, paths: dict[str, str], state: str) -> None:
    for name, path in paths.items():
        for connections in CONNECTIONS:
            _load(api + path, connections, 1.5)  # warm-up: starts the environments
            load = _load(api + path, connections, SLICE)
            times = load["latencies"] or [float("nan")] * 2
            p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
            print(
                f"| {name} | {state} | {connections} | {len(load['latencies']) / load['seconds']:.0f} |"
                f" {statistics.median(times):.1f} | {p95:.1f} | {load['failures']} |",
                flush=True,
            )


def _load(url: str, connections: int, seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "tools.bench.load", url, str(connections), str(seconds), str(CALLS)]
    command.append("Accept-Encoding=gzip")
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _render_page(page: EventPage) -> str:
    return render_page(page, SEARCH)


def _drop(redis: Client, event_id: EventId) -> None:
    keys = (LIST_KEY, event_key(event_id), seats_key(event_id), layout_key(event_id))
    ReadCache(lambda: redis, utc_now).drop(*keys)


@contextmanager
def _clearing_cache(redis: Client, event_id: EventId) -> Iterator[None]:
    """Clear the cache twenty times a second, more often than a sale at full speed."""
    stopped = threading.Event()

    def drop() -> None:
        while not stopped.wait(0.05):
            _drop(redis, event_id)

    thread = threading.Thread(target=drop)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


if __name__ == "__main__":
    main()
