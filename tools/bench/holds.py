"""Measures holds and payments: `make bench-holds`.

First, holds a second, on one event and on a hundred, compared in turns with the bare Postgres statement that writes the
same rows, `INSERT … ON CONFLICT DO NOTHING`. The use case is `HoldSeats.hold` with its own Postgres and Redis; the
events service is in memory. Second, the round trips of each handler. Third, through the emulator, the time from
PortOne's confirmation until a buyer sees CONFIRMED, and SOLD.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

from common.domain.clock import new_id, utc_now
from common.domain.ids import EventId, SeatId, UserId
from common.messaging.outbox import Outbox
from common.stores.postgres import Database
from common.stores.redis import connect
from common.waitingroom.queue_tokens import QueueTokens
from emulator import services
from functions.payments.adapters.clients.portone import portone_client
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.domain.reservation import Seat
from functions.reservations.domain.sale_offer import SaleOffer
from functions.reservations.usecases.hold_seats import HoldSeats
from functions.reservations.usecases.payable_hold import PaymentTokenIssuer
from migrations.__main__ import LOGINS, migrate, set_passwords
from tools.demo.__main__ import seat_statuses
from tools.demo.buyer import Api, Buyer, eventually
from tools.simulation.crowd_sale import access_tokens, create_event
from tools.simulation.fake_portone import SETTINGS, fake_portone
from tools.simulation.model.world import USERS, Response, Stores, World, logins, quiet
from tools.throwaway_stack import throwaway_stack

ROOT = Path(__file__).parents[2]
PASSWORD = "bench-only"  # noqa: S105
WORKERS = (1, 4)
SECONDS, ROUNDS = 3.0, 3
MANY_EVENTS = 100
TICKETS = 40
BARE = """
WITH reservation AS (
  INSERT INTO reservation_service.reservations
         (id, user_id, event_id, event_title, event_starts_at, status, total_amount, hold_expires_at, guarded_until)
  VALUES (%(id)s, %(user)s, %(event)s, 'Tour', now(), 'PENDING', 1000, now() + interval '5 minutes',
          now() + interval '330 seconds')
  ON CONFLICT DO NOTHING RETURNING id)
INSERT INTO reservation_service.reservation_seats (reservation_id, event_id, seat_id, number, grade, price)
SELECT id, %(event)s, %(seat)s, 'A-1-1', 'VIP', 1000 FROM reservation
ON CONFLICT DO NOTHING
"""


class InMemoryOffers:
    """The events service: every seat is on sale."""

    def offer(self, _event_id: EventId, seat_ids: Sequence[SeatId]) -> SaleOffer:
        seats = tuple(Seat(seat, "A-1-1", "VIP", 1000) for seat in seat_ids)
        now = datetime.now(UTC)
        return SaleOffer("Tour", now + timedelta(days=30), now + timedelta(days=1), False, 4, seats, frozenset())


# -- worker process ---------------------------------------------------------------------------------------------------


def work(way: str, conninfo: str, redis_url: str, seconds: float, events: Sequence[UUID]) -> list[float]:
    """Seconds of each hold, each with a new seat and buyer."""
    hold = {"hold": _holding, "bare": _inserting}[way](conninfo, redis_url)
    hold(events[0])  # connects
    took: list[float] = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        hold(events[len(took) % len(events)])
        took.append(time.perf_counter() - began)
    return took


def _holding(conninfo: str, redis_url: str) -> Callable[[UUID], object]:
    redis = connect(redis_url, cluster=False)
    database = Database(conninfo)
    reservations = ReservationRepository(database, Outbox())
    use_case = HoldSeats(
        database=database,
        reservations=reservations,
        seat_holds=SeatHolds(redis),
        offers=InMemoryOffers(),
        payment_tokens=PaymentTokenIssuer(QueueTokens(redis), reservations, utc_now, 600),
        clock=utc_now,
        new_id=new_id,
        hold_seconds=300,
        holds_per_admission=10,
    )
    return lambda event: use_case.hold(UserId(uuid4()), EventId(event), [SeatId(uuid4())], uuid4())


def _inserting(conninfo: str, _redis_url: str) -> Callable[[UUID], object]:
    connection = psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)
    return lambda event: connection.execute(BARE, {"id": new_id(), "user": uuid4(), "event": event, "seat": uuid4()})


# -- main -------------------------------------------------------------------------------------------------------------


def main() -> None:
    print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f} before the run\n")
    with tempfile.TemporaryDirectory() as folder:
        wanted: dict[str, dict[str, object]] = {"postgres": {"database": "ticketing"}, "redis": {}}
        with services.start(wanted, Path(folder)) as running:
            migrate(running.postgres)
            set_passwords(running.postgres, dict.fromkeys(LOGINS, PASSWORD))
            _print_holds(running.postgres, running.redis)
            _print_round_trips(running.postgres, running.redis)
    _print_delays()
    print(f"\nload average {os.getloadavg()[0]:.1f} after the run")


def _print_holds(postgres: str, redis_url: str) -> None:
    conninfo = psycopg.conninfo.make_conninfo(postgres, user="reservation_service", password=PASSWORD)
    print(
        "| holds | processes | a second | p50 ms | p95 ms | ratio to the bare INSERT |\n|---|---:|---:|---:|---:|---:|"
    )
    for name, count in (("one event", 1), (f"{MANY_EVENTS} events", MANY_EVENTS)):
        events = [uuid4() for _ in range(count)]
        for workers in WORKERS:
            took: dict[str, list[float]] = {"hold": [], "bare": []}
            for _ in range(ROUNDS):
                for way, times in took.items():  # in turns
                    times += _side_by_side(workers, way, conninfo, redis_url, events)
            bare = len(took["bare"])
            for way, label in (("hold", name), ("bare", f"{name}: bare INSERT … ON CONFLICT")):
                times = took[way]
                p50, p95 = (statistics.quantiles(times, n=20)[i] * 1000 for i in (9, 18))
                rate = len(times) / SECONDS / ROUNDS
                print(f"| {label} | {workers} | {rate:,.0f} | {p50:.2f} | {p95:.2f} | {len(times) / bare:.2f} |")


def _side_by_side(workers: int, *arguments: object) -> list[float]:
    way, conninfo, redis_url, events = arguments
    encoded = json.dumps([way, conninfo, redis_url, SECONDS, events], default=str)
    path = os.pathsep.join([str(ROOT), str(ROOT / "layers/common/python")])
    command = [sys.executable, "-m", "tools.bench.holds", encoded]
    environment = {**os.environ, "PYTHONPATH": path, "POWERTOOLS_LOG_LEVEL": "CRITICAL"}
    processes = [subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) for _ in range(workers)]
    return [each for process in processes for each in json.loads(process.communicate(timeout=120)[0])]


def _print_round_trips(postgres: str, redis_url: str) -> None:
    """Round trips of a purchase, warm and without rate limits. A script, a statement and a COMMIT are one each."""
    parties = ("Postgres", "Redis", "PortOne", "another service")
    print(f"\n| warm call | {' | '.join(parties)} | in other services |\n|---|{'---:|' * (len(parties) + 1)}")
    with (
        fake_portone() as portone,
        portone_client("http://127.0.0.1:9", SETTINGS.portone_api_secret) as client,
        quiet(),
    ):
        world = World(Stores(logins(postgres, PASSWORD), postgres, redis_url, portone, client))
        world.open()
        calls = _Calls(world)
        event = world.event_ids[0]
        for user, seat in zip(USERS, world.seat_ids[event][:2], strict=False):  # the first is a warm-up
            held = UUID(calls.count("hold", "Reservations", partial(world.hold, user, event, [seat]))["reservationId"])
            made = calls.count("create payment", "Payments", partial(world.create_payment, held, str(held)))
            payment = UUID(made["paymentId"])
            world.pay(payment, "AUTHORIZED")
            calls.count("confirm", "Payments", partial(world.confirm, payment, approve=True))
        world.close()
    for call, exchanges in calls.counted.items():
        own = [exchanges[calls.service[call], party] for party in parties]
        print(f"| {call} | {' | '.join(map(str, own))} | {exchanges.total() - sum(own)} |")


class _Calls:
    def __init__(self, world: World) -> None:
        self._world = world
        self.service: dict[str, str] = {}
        self.counted: dict[str, Counter[tuple[str, str]]] = {}

    def count(self, name: str, service: str, call: Callable[[], Response]) -> dict[str, str]:
        self._world.fault_injector.exchanges.clear()
        response = call()
        self.service[name], self.counted[name] = service, Counter(self._world.fault_injector.exchanges)
        return response.body


def _print_delays() -> None:
    """As seen by a buyer who polls. The time starts when PortOne took the money."""
    confirmed, sold = [], []
    with throwaway_stack(RateLimits="off") as stack:
        event, seats = create_event(stack["api"], TICKETS + 20)
        token, public = access_tokens(stack), Api(stack["api"])
        for seat in seats[: TICKETS + 5]:
            buyer = Buyer(stack["api"], stack["sandbox"])
            buyer.api = Api(stack["api"], token())
            buyer.enter(event)
            buyer.wait_for_admission(event)
            held = buyer.hold(event, [seat])
            payment = buyer.create_payment(held["reservationId"])["paymentId"]
            approval = buyer.pay(payment, "AUTHORIZED")["paymentToken"]
            paid_at = datetime.fromisoformat(buyer.confirm(payment, approval)["paidAt"])
            buyer.wait_for_status(held["reservationId"], "CONFIRMED")
            confirmed.append((datetime.now(UTC) - paid_at).total_seconds())
            eventually(partial(seat_statuses, public, event, [seat]), lambda found: found == {"SOLD"})
            sold.append((datetime.now(UTC) - paid_at).total_seconds())
    print(f"\n| {TICKETS} purchases, one after another, through the emulator | p50 s | p95 s |\n|---|---:|---:|")
    for name, times in (("paid at PortOne → CONFIRMED", confirmed[5:]), ("paid at PortOne → SOLD", sold[5:])):
        cuts = statistics.quantiles(times, n=20)
        print(f"| {name} | {cuts[9]:.2f} | {cuts[18]:.2f} |")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        way, conninfo, redis_url, seconds, events = json.loads(sys.argv[1])
        print(json.dumps(work(way, conninfo, redis_url, seconds, [UUID(each) for each in events])))
    else:
        main()
