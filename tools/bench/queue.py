"""Measures the waiting room on its own Redis with 50,000 users waiting: `make bench-queue`.

One caller calls the warm handlers in this process, in turns with what they are compared with: the round trip of the
bare script, a bare ZRANK, and a naive version with three commands. "waiting room" is the handler without its endpoint
(parsing, log and metric records, headers). `enter` runs two scripts, in two slots and one round trip: "both scripts" is
that round trip, bare. First with Redis on the same machine, then with every round trip half a millisecond longer, as
over a VPC's network.
"""

import contextlib
import io
import json
import os
import statistics
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from redis import Connection

from common.contracts.sale_terms import SaleTermsResponse
from common.domain.clock import microseconds
from common.domain.ids import EventId, UserId
from common.stores.redis import Client, run_together
from common.waitingroom.queue_keys import early_admissions_key, last_seen_key, membership_key, queue_key, sale_key
from common.wiring import secret_cache
from common.wiring.redis_client import redis_client
from emulator import services
from functions.admitter.adapters.admission_redis import AdmissionRedis
from functions.admitter.domain.admission import AdmissionPolicy
from functions.queue import wiring
from functions.queue.adapters.queue_redis import QueueRedis
from functions.queue.handlers import enter_queue, read_queue_status
from functions.queue.handlers.responses.queue_status_response import queue_status_response

WAITING = 50_000
CALLS = 3_000
ROUNDS = 6  # of each, in turns
EVENTS = Path(__file__).parents[2] / "events"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, services.start({"redis": {}}, Path(folder)) as running:
        os.environ.update(
            REDIS_URL=running.redis,
            REDIS_CLUSTER="false",
            SERVICE_NAME="queue",
            SALE_TERMS_FUNCTION="",
            SECRETS_PREFIX="",
        )
        # In place of Secrets Manager's response, which is cached for five minutes.
        key = b64encode(os.urandom(32)).decode()
        secret_cache._secret_cache()._kept["queue/place"] = (time.monotonic() + 3600, {"keys": [key]})
        redis = redis_client()
        event_id = EventId(uuid4())
        per_user = _fill(redis, event_id)
        for delay in (0.0, 0.0005):
            print(f"{WAITING:,} waiting, one caller, round trips to Redis {delay * 1000:g} ms longer; µs\n")
            with _slower_redis(delay):
                _report(_latencies(redis, event_id))
        _admission(redis, event_id)
        _thousand_queues(redis)
        print(f"\nMemory for each waiting user: {per_user:.0f} bytes (queue, last poll, membership).")
    from tools.bench import queue_over_http  # not at the top: it imports this module

    queue_over_http.measure()


def _sale(event_id: EventId, capacity: int = 10_000_000, rate: int = 10) -> SaleTermsResponse:
    now = datetime.now(UTC)
    return SaleTermsResponse(
        event_id=event_id,
        sale_starts_at=now - timedelta(hours=1),
        sale_ends_at=now + timedelta(hours=5),
        queue_capacity=capacity,
        admission_per_second=rate,
        sold_out=False,
        seats_left=20_000,
    )


def _fill(redis: Client, event_id: EventId) -> float:
    """Add 50,000 waiting users with the commands of `enter`. Returns the bytes per user."""
    queue, before = QueueRedis(redis), redis.info("memory")["used_memory"]
    queue.write_sale_terms(_sale(event_id), datetime.now(UTC))
    redis.hset(sale_key(event_id), "fresh_until", "9" * 16)
    add_waiting_users(redis, event_id, WAITING)
    used: int = redis.info("memory")["used_memory"] - before
    return used / WAITING


def add_waiting_users(redis: Client, event_id: EventId, count: int) -> list[UserId]:
    """Returns the users in the order of the queue."""
    first = microseconds(datetime.now(UTC)) - count
    users_in_order = [UserId(uuid4()) for _ in range(count)]
    for start in range(0, count, 1000):
        places = {str(user): first + start + i for i, user in enumerate(users_in_order[start : start + 1000])}
        with redis.pipeline(transaction=False) as pipeline:
            pipeline.zadd(queue_key(event_id), places)
            pipeline.zadd(last_seen_key(event_id), places)
            for user in places:
                pipeline.set(membership_key(UserId(UUID(user))), f"{event_id} {first}", ex=86_400)
            pipeline.execute()
    redis.hset(sale_key(event_id), "last_score", first + count)
    return users_in_order


def _request(name: str, user: UserId, event_id: EventId) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    event["requestContext"]["authorizer"]["sub"] = str(user)
    if event["body"]:
        event["body"] = json.dumps({"eventId": str(event_id)})
    else:
        event["queryStringParameters"] = {"eventId": str(event_id)}
    return event


Call = Callable[[UserId], object]


def _latencies(redis: Client, event_id: EventId) -> dict[str, list[float]]:
    """Seconds of each call, by name. Each call enters new users, who then leave: the queue stays at 50,000."""
    queue, naive_queue = QueueRedis(redis), f"naive:{{{event_id}}}"
    redis.zunionstore(naive_queue, {queue_key(event_id): 1})
    waiting_users = [UserId(UUID(str(user))) for user in redis.zrange(queue_key(event_id), 0, -1)[:: WAITING // CALLS]]

    def bare_enter(user: UserId) -> object:
        keys, now = queue._user_keys(event_id, user), microseconds(datetime.now(UTC))
        return queue._enter(
            redis, [*keys, early_admissions_key(event_id)], [str(user), now, "0", 300_000_000, 10_000_000]
        )

    def bare_both(user: UserId) -> object:
        keys, now = queue._user_keys(event_id, user), microseconds(datetime.now(UTC))
        arguments: list[str | int] = [str(user), now, "0", 300_000_000, 10_000_000]
        membership_arguments: list[str | int] = [str(event_id), now, "", 86_400]
        calls = [
            (queue._take_membership, [membership_key(user)], membership_arguments),
            (queue._enter, [*keys, early_admissions_key(event_id)], arguments),
        ]
        return run_together(redis, calls)

    def bare_status(user: UserId) -> object:
        return queue._read(
            redis, queue._user_keys(event_id, user), [str(user), microseconds(datetime.now(UTC)), 30_000_000]
        )

    def naive_enter(user: UserId) -> object:
        redis.set(membership_key(user), str(event_id), nx=True, ex=86_400)
        redis.zadd(naive_queue, {str(user): time.time()}, nx=True)
        return redis.zrank(naive_queue, str(user)), redis.zcard(naive_queue)

    def naive_status(user: UserId) -> object:
        redis.get(f"queue:token:{{{event_id}}}:qr:{user}")
        return redis.zrank(naive_queue, str(user)), redis.hget(sale_key(event_id), "rate")

    def waiting_room_enter(user: UserId) -> object:
        status = wiring.enter_queue().enter(event_id, user)
        return queue_status_response(event_id, user, status, wiring.place_receipts(), datetime.now(UTC)).to_json()

    def waiting_room_status(user: UserId) -> object:
        status = wiring.read_queue().status(event_id, user)
        return queue_status_response(event_id, user, status, wiring.place_receipts(), datetime.now(UTC)).to_json()

    requests = {name: _request(name, UserId(uuid4()), event_id) for name in ("enter_queue", "read_queue_status")}

    def handled(name: str, handler: Callable[[dict[str, Any], Any], dict[str, Any]]) -> Call:
        def call(user: UserId) -> object:
            requests[name]["requestContext"]["authorizer"]["sub"] = str(user)
            return handler(requests[name], None)

        return call

    entering: dict[str, Call] = {
        "enter: bare EVALSHA": bare_enter,
        "enter: both scripts": bare_both,
        "enter: three commands, naive": naive_enter,
        "enter: waiting room": waiting_room_enter,
        "enter: handler": handled("enter_queue", enter_queue.handler),
    }
    polling: dict[str, Call] = {
        "status: bare ZRANK": lambda user: redis.zrank(queue_key(event_id), str(user)),
        "status: bare EVALSHA": bare_status,
        "status: three commands, naive": naive_status,
        "status: waiting room": waiting_room_status,
        "status: handler": handled("read_queue_status", read_queue_status.handler),
    }
    took: dict[str, list[float]] = {way: [] for way in (*entering, *polling)}
    with _quiet():
        for round_number in range(ROUNDS):
            for way, call in entering.items():
                users = [UserId(uuid4()) for _ in range(CALLS // ROUNDS)]
                measured = _timed(call, users)
                if round_number:  # the first round is a warm-up
                    took[way] += measured
                _leave(redis, event_id, naive_queue, users)
            for way, call in polling.items():
                measured = _timed(call, waiting_users[round_number::ROUNDS])
                if round_number:
                    took[way] += measured
    return took


def _timed(call: Call, users: list[UserId]) -> list[float]:
    took = []
    for user in users:
        began = time.perf_counter()
        call(user)
        took.append(time.perf_counter() - began)
    return took


def _leave(redis: Client, event_id: EventId, naive_queue: str, users: list[UserId]) -> None:
    names = [str(user) for user in users]
    for key in (queue_key(event_id), last_seen_key(event_id), naive_queue):
        redis.zrem(key, *names)
    redis.delete(*(membership_key(user) for user in users))


@contextlib.contextmanager
def _slower_redis(seconds: float) -> Iterator[None]:
    """Make every round trip to Redis longer by this."""
    send: Any = Connection.send_packed_command

    def wait(self: Any, *args: Any, **options: Any) -> None:
        time.sleep(seconds)
        send(self, *args, **options)

    if seconds:
        Connection.send_packed_command = wait  # type: ignore[method-assign]
    try:
        yield
    finally:
        Connection.send_packed_command = send  # type: ignore[method-assign]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Write log and metric records to memory, so that the terminal's speed is not measured."""
    from common.runtime.log import log

    memory = io.StringIO()
    handlers = log.handlers
    streams = [handler.setStream(memory) for handler in handlers]  # type: ignore[attr-defined]
    with contextlib.redirect_stdout(memory):
        yield
    for handler, stream in zip(handlers, streams, strict=True):
        handler.setStream(stream)  # type: ignore[attr-defined]


def _report(took: dict[str, list[float]]) -> None:
    print("| way | a second | p50 | p95 | p99 | p50 over bare EVALSHA |")
    print("|---|---:|---:|---:|---:|---:|")
    for way, seconds in took.items():
        bare = statistics.median(took[f"{way.split(':')[0]}: bare EVALSHA"])
        cuts = statistics.quantiles(seconds, n=100)
        p50, p95, p99 = (cuts[i] * 1e6 for i in (49, 94, 98))
        rate = len(seconds) / sum(seconds)
        print(f"| {way} | {rate:,.0f} | {p50:.0f} | {p95:.0f} | {p99:.0f} | {cuts[49] / bare:.2f} |")
    print()


def _admission(redis: Client, event_id: EventId) -> None:
    admission, now = AdmissionRedis(redis, AdmissionPolicy()), datetime.now(UTC)
    took = []
    for second in range(200):
        began = time.perf_counter()
        (move, *_) = admission.tick([event_id], now + timedelta(seconds=second))
        took.append(time.perf_counter() - began)
        if second and len(move.admitted) != 10:
            raise SystemExit(f"{len(move.admitted)} were admitted, not 10")
    cuts = statistics.quantiles(took[1:], n=100)
    print(f"\nAdmission of 10 from {WAITING:,}: p50 {cuts[49] * 1e6:.0f} µs, p99 {cuts[98] * 1e6:.0f} µs a tick.")


def _thousand_queues(redis: Client) -> None:
    now, queue, events = datetime.now(UTC), QueueRedis(redis), [EventId(uuid4()) for _ in range(1000)]
    for event_id in events:
        queue.write_sale_terms(_sale(event_id), now)
        users = {str(uuid4()): microseconds(now) + i for i in range(60)}
        redis.zadd(queue_key(event_id), users)
        redis.zadd(last_seen_key(event_id), users)
    admission, took = AdmissionRedis(redis, AdmissionPolicy()), []
    for second in range(5):
        began = time.perf_counter()
        moves = admission.tick(events, now + timedelta(seconds=second))
        took.append(time.perf_counter() - began)
        if sum(len(each.admitted) for each in moves) != 10_000:
            raise SystemExit("not every queue admitted ten users")
    idle = [EventId(uuid4()) for _ in range(1000)]
    for event_id in idle:
        queue.write_sale_terms(_sale(event_id), now)
    empty = _timed(lambda _: admission.tick(idle, now), [UserId(uuid4()) for _ in range(5)])
    print(f"A tick of 1,000 queues, ten admitted from each: first {took[0] * 1e3:.0f} ms, then", end=" ")
    print(f"{statistics.median(took[1:]) * 1e3:.0f} ms; without users: {statistics.median(empty) * 1e3:.0f} ms.")


if __name__ == "__main__":
    main()
