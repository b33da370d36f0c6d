"""Measures the steps of an on-sale on its own stack: `make cost-measure` writes tools/cost/measured.toml.

A few buyers queue, poll, read the serving position and buy. The emulator reports the time of the invocations, without
cold starts, which are rare in an on-sale. Redis, Postgres and the functions' log give the rest. Each scheduled function
is also invoked once, until it ends.
"""

import json
import os
import platform
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import httpx
import psycopg
import redis
from botocore.config import Config
from botocore.exceptions import ClientError

from tools.cost.deployed import read_templates
from tools.cost.measured import FILE
from tools.cost.sale import SALE_TERMS
from tools.demo.__main__ import free_seats
from tools.demo.buyer import Api, Buyer, eventually, log_in
from tools.throwaway_stack import throwaway_stack

BUYERS = 8
POLLS = 10  # of the status and of the serving position, each
IDLE_SECONDS = 5
LAMBDA_LINES = 330  # bytes of START, END and REPORT, which only Lambda on AWS writes


class Meter:
    """Counts what happens on a stack in each step, without what happens while it is idle."""

    def __init__(self, stack: Mapping[str, Any]) -> None:
        self._stack = stack
        self._redis = redis.Redis.from_url(stack["redis"])
        self._postgres = psycopg.connect(stack["postgres"], autocommit=True)
        self.scheduled = {name for name, each in read_templates().functions.items() if each.runs_a_month}
        self.steps: dict[str, dict[str, Any]] = {}
        self.seen: Counter[str] = Counter()
        self._idle: Mapping[str, float] = {}

    def watch(self, api: Api) -> Api:
        """Count this client's requests and the bytes of their responses."""

        def count(response: httpx.Response) -> None:
            self.seen["requests"] += 1
            self.seen["answer_bytes"] += int(response.headers.get("content-length", 0))

        api.client.event_hooks = {"response": [count]}
        return api

    def functions(self) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = httpx.get(f"{self._stack['admin']}/status").json()["functions"]
        return found

    def stores(self) -> dict[str, float]:
        info: Any = self._redis.info("stats")
        row = self._postgres.execute(
            "SELECT coalesce(sum(octet_length(payload::text) + 400), 0) FROM common.outbox_events"
        ).fetchone()
        return {
            "redis_commands": info["total_commands_processed"],
            "redis_bytes": info["total_net_input_bytes"] + info["total_net_output_bytes"],
            "message_bytes": float(row[0]) if row else 0.0,
        }

    def measure_idle_load(self) -> None:
        before = self.stores()
        time.sleep(IDLE_SECONDS)
        self._idle = {name: (now - before[name]) / IDLE_SECONDS for name, now in self.stores().items()}

    @contextmanager
    def step(self, name: str, times: int) -> Iterator[None]:
        """Measure a step: the block runs it `times` times."""
        self.seen.clear()
        began, functions, stores = time.monotonic(), self.functions(), self.stores()
        yield
        seconds = time.monotonic() - began
        after, now = self.functions(), self.stores()
        calls = {
            function: (stats["invocations"] - functions[function]["invocations"]) / times
            for function, stats in after.items()
            if function not in {*self.scheduled, SALE_TERMS}
            and stats["invocations"] > functions[function]["invocations"]
        }
        used = {key: max(0.0, now[key] - stores[key] - self._idle[key] * seconds) / times for key in stores}
        self.steps[name] = (
            {key: self.seen[key] / times for key in ("requests", "answer_bytes")} | used | {"calls": calls}
        )

    def is_confirmed(self, reservation_id: str) -> bool:
        row = self._postgres.execute(
            "SELECT status FROM reservation_service.reservations WHERE id = %s", (reservation_id,)
        ).fetchone()
        return row is not None and row[0] == "CONFIRMED"


def main() -> None:
    with throwaway_stack() as stack, ThreadPoolExecutor(16) as pool:
        meter = Meter(stack)
        began = meter.functions()
        running = [pool.submit(_invoke, stack["lambda"], name) for name in meter.scheduled]
        _run(meter, stack)  # warm-up: loads everything
        warm = meter.functions()
        _run(meter, stack)
        for each in running:
            each.result()
        milliseconds = _milliseconds(meter, began, warm)
        log_bytes, metrics = _log(Path(stack["state"]), meter.functions())
    FILE.write_text(_toml(meter.steps, milliseconds, log_bytes, metrics), encoding="utf-8")
    print(f"wrote {FILE}")


def _run(meter: Meter, stack: Mapping[str, Any]) -> None:
    public, admin = meter.watch(Api(stack["api"])), log_in(stack["api"], "admin@example.com", "local-admin-1234")
    event_id = public("GET", "/events", params={"status": "ONGOING", "size": 1})["items"][0]["id"]

    def pause(paused: bool) -> None:
        admin("PUT", f"/queue/admin/events/{event_id}", {"paused": paused})

    buyers = [Buyer(stack["api"], stack["sandbox"]) for _ in range(BUYERS)]
    for buyer in buyers:
        buyer.register()
    meter.measure_idle_load()
    pause(True)
    with meter.step("log_in", BUYERS):
        for buyer in buyers:
            body = {"email": buyer.email, "password": buyer.password, "captchaToken": "sandbox-human"}
            tokens = meter.watch(Api(stack["api"]))("POST", "/auth/login", body)
            buyer.api = meter.watch(Api(stack["api"], tokens["accessToken"]))
    with meter.step("browse", BUYERS):
        for _ in buyers:
            for path in ("/events", f"/events/{event_id}", f"/events/{event_id}/seats/layout"):
                public("GET", path)
    with meter.step("enter", BUYERS):
        for buyer in buyers:
            buyer.enter(event_id)
    with meter.step("poll", BUYERS * POLLS):
        for buyer in buyers * POLLS:
            buyer.api("GET", "/queue/status", params={"eventId": event_id})
    with meter.step("counter", BUYERS * POLLS):
        for _ in range(BUYERS * POLLS):
            public("GET", f"/queue/serving/{event_id}")
    pause(False)
    for buyer in buyers:
        buyer.wait_for_admission(event_id)
    listed = Api(stack["api"])("GET", f"/events/{event_id}/seats")
    with meter.step("buy", BUYERS):
        for buyer in buyers:
            _buy(buyer, event_id, listed, meter)


def _buy(buyer: Buyer, event_id: str, listed: dict[str, Any], meter: Meter) -> None:
    free = free_seats(listed, buyer.seat_map(event_id))
    held = buyer.hold(event_id, free[:2])
    payment = buyer.create_payment(held["reservationId"])
    paid = buyer.pay(payment["paymentId"], "AUTHORIZED")
    buyer.confirm(payment["paymentId"], paid["paymentToken"])
    eventually(lambda: meter.is_confirmed(held["reservationId"]), bool, 30)
    buyer.reservation(held["reservationId"])


def _invoke(url: str, function: str) -> None:
    config = Config(read_timeout=400, retries={"total_max_attempts": 1})
    client = boto3.client(
        "lambda",
        endpoint_url=url,
        region_name="ap-northeast-2",
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106
        config=config,
    )
    with suppress(ClientError):  # the schedule has invoked it already, and only one may run at a time
        client.invoke(FunctionName=function, Payload=b"{}")


def _milliseconds(meter: Meter, began: Mapping[str, Any], warm: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for name, stats in meter.functions().items():
        since = began if name in meter.scheduled else warm
        invocations = stats["invocations"] - since[name]["invocations"]
        if invocations:
            found[name] = (stats["busy_seconds"] - since[name]["busy_seconds"]) * 1000 / invocations
    return found


def _log(state: Path, functions: Mapping[str, Mapping[str, float]]) -> tuple[dict[str, float], int]:
    """Bytes logged per invocation, by function; and the number of different metrics."""
    weights: defaultdict[str, int] = defaultdict(int)
    metrics: set[tuple[str, ...]] = set()
    for file in state.rglob("functions.log*"):
        for entry in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            line = entry["line"]
            weights[entry["function"]] += len(line.encode()) + 1
            if '"CloudWatchMetrics"' in line:
                metrics.update(_metrics(json.loads(line)))
    bytes_each = {
        name: weights[name] / stats["invocations"] + LAMBDA_LINES
        for name, stats in functions.items()
        if stats["invocations"]
    }
    return bytes_each, len(metrics)


def _metrics(line: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for group in line["_aws"]["CloudWatchMetrics"]:
        for dimensions in group["Dimensions"]:
            for metric in group["Metrics"]:
                yield (metric["Name"], *(f"{name}={line[name]}" for name in dimensions))


def _toml(
    steps: Mapping[str, Mapping[str, Any]], milliseconds: Mapping[str, float], logs: Mapping[str, float], metrics: int
) -> str:
    machine = f"{platform.machine()}, {os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}"
    lines = [
        "# Written by `make cost-measure`. Steps: one buyer, once. Functions: one warm invocation.",
        f'on = "{datetime.now(UTC):%Y-%m-%d} ({machine})"',
        f"metrics = {metrics}",
    ]
    for name, step in steps.items():
        lines += ["", f"[steps.{name}]", *(f"{key} = {value:.2f}" for key, value in step.items() if key != "calls")]
        calls = ", ".join(f"{function} = {often:.3f}" for function, often in sorted(step["calls"].items()))
        lines.append(f"calls = {{ {calls} }}")
    lines += ["", "[functions]"]
    for name, each in sorted(milliseconds.items()):
        lines.append(f"{name} = {{ milliseconds = {each:.2f}, log_bytes = {logs.get(name, LAMBDA_LINES):.0f} }}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
