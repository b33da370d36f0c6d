"""The services in this process, on real stores and the sandbox's PortOne, with controlled time, messages and faults.

Handlers, use cases, repositories and consumers are the product's. The model has its own clock, ids, broker (a list for
each partition) and invocation between services. Each service has its own Postgres login.
"""

import io
import json
import logging
import threading
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar
from unittest.mock import patch
from uuid import UUID
from zlib import crc32

import httpx
import psycopg
from standardwebhooks import Webhook

from common.contracts.live_seats import LiveSeatsResponse, RepairHoldsRequest, RepairHoldsResponse
from common.contracts.payable import PayableRequest, PayableResponse
from common.contracts.reservation_payments import ReservationPaymentsRequest, ReservationPaymentsResponse
from common.contracts.seat_catalogue import SeatCatalogueResponse
from common.domain.ids import EventId, ReservationId, SeatId, UserId
from common.domain.shared_errors import AccountInUse, ServiceUnavailable, StoreUnavailable
from common.http import endpoint
from common.messaging.consumer import Consumer
from common.messaging.messages import (
    EVENT_EVENTS,
    PAYMENT_EVENTS,
    RESERVATION_EVENTS,
    EventCancelled,
    EventRescheduled,
    PaymentFailed,
    PaymentSuccess,
    ReservationCancelled,
)
from common.messaging.outbox import Outbox
from common.protection.circuit_breaker import CircuitBreaker
from common.stores.postgres import Database
from common.stores.redis import connect
from common.waitingroom.queue_tokens import RESERVATION, QueueTokens, new_secret, token_key, token_prefix
from common.wiring.endpoint_settings import EndpointSettings
from functions.events.adapters.event_repository import EventRepository
from functions.events.adapters.seat_repository import SeatRepository
from functions.events.domain.entity_tag import ANY_VERSION
from functions.events.domain.seat_template import Grade, SeatTemplate, Section
from functions.events.usecases.event_admin import EventAdmin
from functions.events.usecases.seat_reconciliation import reconcile
from functions.events.usecases.seat_records import SeatRecords
from functions.outbox_relay.adapters.outbox_repository import OutboxRepository
from functions.outbox_relay.domain.outbox_row import OutboxRow
from functions.outbox_relay.domain.publisher import BrokerUnavailable
from functions.outbox_relay.usecases.relay import Relay
from functions.payments.adapters.clients.portone import PortOne
from functions.payments.adapters.clients.reservations_client import ReservationsClient
from functions.payments.adapters.payment_repository import PaymentRepository
from functions.payments.adapters.refund_repository import RefundRepository
from functions.payments.domain.payment_gateway import GatewayUnavailable
from functions.payments.handlers import (
    confirm_payment,
    create_payment,
    find_payments,
    receive_webhook,
    settle_payments,
)
from functions.payments.usecases.apply_cancellations import ApplyCancellations
from functions.payments.usecases.confirm_payment import ConfirmPayment
from functions.payments.usecases.create_payment import CreatePayment
from functions.payments.usecases.record_outcome import RecordOutcome
from functions.payments.usecases.refunds import Refunds
from functions.payments.usecases.settle_payments import SettlePayments
from functions.payments.usecases.sync_with_gateway import SyncWithGateway
from functions.payments.wiring import gateway_sync, purchase, repositories, settlement
from functions.payments.wiring import secrets as payment_secrets
from functions.reservations.adapters.clients.events_client import offer_of
from functions.reservations.adapters.clients.payments_client import PaymentsClient
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.domain.sale_offer import SaleOffer
from functions.reservations.handlers import (
    cancel_reservation,
    change_seats,
    check_payable,
    hold_seats,
    read_reservation,
    release_seats,
)
from functions.reservations.usecases.apply_event_changes import ApplyEventChanges
from functions.reservations.usecases.apply_payment_outcomes import ApplyPaymentOutcomes
from functions.reservations.usecases.cancel_event_reservations import CancelEventReservations
from functions.reservations.usecases.cancel_reservation import CancelReservation
from functions.reservations.usecases.change_seats import ChangeSeats
from functions.reservations.usecases.check_payable import CheckPayable
from functions.reservations.usecases.close_account import CloseAccount
from functions.reservations.usecases.confirm_paid import ConfirmPaid
from functions.reservations.usecases.drop_hold import DropHold
from functions.reservations.usecases.expire_holds import ExpireHolds
from functions.reservations.usecases.hold_seats import HoldSeats
from functions.reservations.usecases.list_live_seats import ListLiveSeats
from functions.reservations.usecases.payable_hold import PaymentTokenIssuer
from functions.reservations.usecases.read_reservation import ReadReservation
from functions.reservations.usecases.release_seats import ReleaseSeats
from functions.reservations.usecases.repair_holds import RepairHolds
from functions.reservations.wiring import purchases
from functions.reservations.wiring import tokens as reservation_tokens
from tools.invariants import Violation, violations
from tools.invariants.checker import connect as connect_checker
from tools.invariants.checker import in_redis
from tools.simulation.events_service import EventsService, NoCache, seat_messages, seat_sales
from tools.simulation.fake_portone import SETTINGS, FakePortOne
from tools.simulation.model.exchanges import Crashed, Environment, Fault, FaultInjector, portone_timeout
from tools.simulation.model.turns import Turn, take_turns

ResultT = TypeVar("ResultT")
Position = tuple[str, str, int]  # consumer, topic, partition

HOLD, SETTLE_AFTER = 300, timedelta(seconds=340)  # as in template.yaml and payments' wiring
EVENT_STARTS = datetime(2027, 3, 20, 10, tzinfo=UTC)
RUN_STARTS = EVENT_STARTS - timedelta(days=9)  # a day after the purchase, a cancellation has a fee
LONGEST_RUN = timedelta(hours=11)  # failed payments are checked for a day; no payment of a run is later than this
USERS = [UUID(int=user) for user in range(1, 6)]
OTHER_USER = UUID(int=99)
ROWS: list[tuple[str, Grade]] = [("A", "VIP"), ("B", "S")]
HALL = SeatTemplate(sections=[Section(name=name, grade=grade, rows=1, seats_per_row=2) for name, grade in ROWS])
PRICES = [{"VIP": 150_000, "S": 120_000}, {"VIP": 0, "S": 120_000}]  # of the two events, in won
OLD_SECRET, OTHER_SECRET = (f"whsec_{b64encode(each * 32).decode()}" for each in (b"o", b"x"))
PARTITIONS = 3
LOGINS = ["reservation_service", "payment_service", "event_service", "relay"]
CONSUMERS = (
    ("reservations", PAYMENT_EVENTS),
    ("reservations", EVENT_EVENTS),
    ("events", RESERVATION_EVENTS),
    ("payments", RESERVATION_EVENTS),
)
TABLES = (
    *("common.outbox_events", "common.processed_events", "common.failed_attempts"),
    *(f"reservation_service.{table}" for table in ("reservation_seats", "reservations")),
    *(f"reservation_service.{table}" for table in ("cancelled_events", "closing_accounts")),
    *(f"payment_service.{table}" for table in ("refunds", "portone_answers", "payments")),
    *(f"event_service.{table}" for table in ("seats", "events", "halls", "venues")),
)
# Redis's clock does not jump with the model's: this shortens the life of its keys instead.
AGE_KEYS = """
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left >= 0 then redis.call('PEXPIRE', key, math.max(0, left - ARGV[1])) end
end
"""


@dataclass
class Stats:
    """Operations, outcomes and faults of all runs."""

    runs: int = 0
    steps: int = 0
    operations: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    code_locations: Counter[str] = field(default_factory=Counter)
    paid: int = 0  # in won
    refunded: int = 0
    tickets: int = 0
    violations: int = 0


@dataclass
class Stores:
    """What runs share: the servers, and one client for PortOne, since making one takes 50 ms."""

    login: Callable[[str, int], str]  # the URL for a Postgres login with a lock timeout in ms
    superuser: str
    redis_url: str
    portone: FakePortOne
    client: httpx.Client
    stats: Stats = field(default_factory=Stats)


class Broker:
    """Kafka: the published rows by topic and partition. It accepts nothing while `unavailable`."""

    def __init__(self) -> None:
        self.partitions: defaultdict[tuple[str, int], list[OutboxRow]] = defaultdict(list)
        self.unavailable = False

    def connect(self) -> None:
        if self.unavailable:
            raise BrokerUnavailable

    def publish(self, rows: Sequence[OutboxRow]) -> list[Exception | None]:
        for row in rows:
            self.partitions[row.topic, crc32(row.partition_key.encode()) % PARTITIONS].append(row)
        return [None] * len(rows)


# -- the services, built as in their wiring -------------------------------------------------------------


class Reservations(Environment):
    def __init__(self, world: "World") -> None:
        super().__init__(world.fault_injector, world.login("reservation_service"), world.stores.redis_url)
        self.tokens = QueueTokens(self.redis)
        clock, database, seat_holds = world.clock, self.database, SeatHolds(self.redis)
        self.repository = reservations = ReservationRepository(database, Outbox(clock, world.new_id))
        offers, payment_tokens = _Offers(world, self), PaymentTokenIssuer(self.tokens, reservations, clock, 600)
        drop_hold = DropHold(seat_holds, self.tokens)
        call: Any = self.as_exchange("another service", _payments_of(world), ServiceUnavailable)
        self.hold_seats = HoldSeats(
            database=database,
            reservations=reservations,
            seat_holds=seat_holds,
            offers=offers,
            payment_tokens=payment_tokens,
            clock=clock,
            new_id=world.new_id,
            hold_seconds=HOLD,
            holds_per_admission=10,
        )
        self.change_seats = ChangeSeats(
            database=database,
            reservations=reservations,
            seat_holds=seat_holds,
            offers=offers,
            payment_tokens=payment_tokens,
            clock=clock,
        )
        self.read_reservation = ReadReservation(
            reservations=reservations,
            payments=PaymentsClient(call, "PaymentsFindFunction"),
            payment_tokens=payment_tokens,
            clock=clock,
        )
        self.release_seats = ReleaseSeats(database, reservations, drop_hold, clock)
        self.cancel_reservation = CancelReservation(database, reservations, drop_hold, clock)
        self.close_account = CloseAccount(database, reservations, drop_hold, clock)
        self.check_payable = CheckPayable(database, reservations, clock)
        confirm_paid = ConfirmPaid(reservations, drop_hold, self.tokens, clock)
        self.expire_holds = ExpireHolds(
            database=database,
            reservations=reservations,
            payments=PaymentsClient(call, "PaymentsFindFunction"),
            confirm_paid=confirm_paid,
            drop_hold=drop_hold,
            clock=clock,
        )
        self.cancel_event_reservations = CancelEventReservations(database, reservations, drop_hold, clock)
        self.list_live_seats = ListLiveSeats(reservations, seat_holds, clock)
        self.repair_holds = RepairHolds(reservations, seat_holds, clock)
        payments = ApplyPaymentOutcomes(reservations, confirm_paid, drop_hold, clock)
        events = ApplyEventChanges(reservations, clock)
        self.consumers = {
            PAYMENT_EVENTS: Consumer(
                "reservations", self.database, {PaymentSuccess: payments.paid, PaymentFailed: payments.failed}
            ),
            EVENT_EVENTS: Consumer(
                "reservations", self.database, {EventCancelled: events.cancelled, EventRescheduled: events.rescheduled}
            ),
        }


class Payments(Environment):
    def __init__(self, world: "World") -> None:
        super().__init__(world.fault_injector, world.login("payment_service"), world.stores.redis_url)
        self.tokens = QueueTokens(self.redis)
        self.repository = payments = PaymentRepository(self.database)
        refunds = RefundRepository(self.database)
        circuit = CircuitBreaker("portone", self.redis, world.clock, failures=(GatewayUnavailable,))
        http_client: Any = _HttpClient(self, world.stores.client)
        gateway = PortOne(http_client, payments.add_gateway_answer, circuit.attempt, SETTINGS.portone_channel_key)
        call: Any = self.as_exchange("another service", _payable_of(world), ServiceUnavailable)
        reservations = ReservationsClient(call, "ReservationsPayableFunction")
        outcome = RecordOutcome(self.database, payments, refunds, Outbox(world.clock, world.new_id))
        self.sync_with_gateway = SyncWithGateway(payments, outcome, gateway, world.clock, world.new_id)
        self.create_payment = CreatePayment(
            payments=payments,
            gateway=gateway,
            reservations=reservations,
            sync=self.sync_with_gateway,
            clock=world.clock,
            new_id=world.new_id,
        )
        self.confirm_payment = ConfirmPayment(payments, gateway, reservations, self.sync_with_gateway)
        self.settle_payments = SettlePayments(payments, self.sync_with_gateway, world.clock, SETTLE_AFTER)
        self.refunds = Refunds(payments, refunds, outcome, gateway, world.clock)
        cancellations = ApplyCancellations(self.refunds, payments, self.sync_with_gateway)
        self.consumers = {
            RESERVATION_EVENTS: Consumer("payments", self.database, {ReservationCancelled: cancellations.cancelled})
        }


class Events(Environment):
    def __init__(self, world: "World") -> None:
        super().__init__(world.fault_injector, world.login("event_service"), world.stores.redis_url)
        cache = NoCache()
        self.events, self.seats = EventRepository(self.database, world.clock), SeatRepository(self.database)
        outbox = Outbox(world.clock)
        self.admin = EventAdmin(self.database, self.events, outbox, cache, world.clock, world.new_id)
        ledger = _Ledger(world, self)
        self.seat_records = SeatRecords(self.database, self.events, self.seats, seat_sales(), ledger, cache)
        self.consumers = {RESERVATION_EVENTS: Consumer("events", self.database, seat_messages(cache).handlers)}


class OutboxRelay(Environment):
    consumers: dict[str, Consumer] = {}  # noqa: RUF012

    def __init__(self, world: "World") -> None:
        super().__init__(world.fault_injector, world.login("relay"), world.stores.redis_url)
        self._broker = world.broker
        self.relay = Relay(OutboxRepository(self.database), self, batch=100)
        self._publish = self.as_exchange("Kafka", world.broker.publish, BrokerUnavailable)

    def connect(self) -> None:
        self._broker.connect()

    def publish(self, rows: Sequence[OutboxRow]) -> list[Exception | None]:
        try:
            return self._publish(rows)
        except BrokerUnavailable as error:
            return [error] * len(rows)


class _HttpClient:
    """An HTTP client whose requests are exchanges."""

    def __init__(self, environment: Environment, client: httpx.Client) -> None:
        self.build_request = client.build_request
        self.send = environment.as_exchange("PortOne", client.send, portone_timeout)


class _Offers:
    def __init__(self, world: "World", caller: Environment) -> None:
        self.offer = caller.as_exchange("another service", self._offer, ServiceUnavailable)
        self._world = world

    def _offer(self, event_id: UUID, seat_ids: Sequence[UUID]) -> SaleOffer:
        arguments = EventId(event_id), list(map(SeatId, seat_ids))
        offer = self._world.invoke("events", lambda: self._world.events.seats.offer(*arguments))
        return offer_of(SeatCatalogueResponse.model_validate(offer, from_attributes=True))


class _Ledger:
    def __init__(self, world: "World", caller: Environment) -> None:
        self._world = world

    def live_seats(self, event_id: UUID, after: UUID | None) -> LiveSeatsResponse:
        return self._world.invoke("reservations", lambda: _page(self._world, event_id, after))

    def repair_holds(self, request: RepairHoldsRequest) -> RepairHoldsResponse:
        return self._world.invoke(
            "reservations",
            lambda: _repair(self._world, request),
        )


def _page(world: "World", event_id: UUID, after: UUID | None) -> LiveSeatsResponse:
    return world.reservations.list_live_seats.page(EventId(event_id), ReservationId(after) if after else None)


def _repair(world: "World", request: RepairHoldsRequest) -> RepairHoldsResponse:
    missing = [ReservationId(each) for each in request.forgotten]
    return world.reservations.repair_holds.repair(EventId(request.event_id), request.release, missing)


def _payable_of(world: "World") -> Callable[..., PayableResponse]:
    def call(
        _function: str, request: PayableRequest, _response: type[PayableResponse], **_options: Any
    ) -> PayableResponse:
        handle = check_payable.handler.__wrapped__  # type: ignore[attr-defined]
        response: PayableResponse = world.invoke("reservations", lambda: handle(request))
        return response

    return call


def _payments_of(world: "World") -> Callable[..., ReservationPaymentsResponse]:
    def call(_function: str, request: ReservationPaymentsRequest, *_: Any, **_options: Any) -> Any:
        handle = find_payments.handler.__wrapped__  # type: ignore[attr-defined]
        return world.invoke("payments", lambda: handle(request))

    return call


SERVICES: dict[str, Callable[["World"], Any]] = {
    "reservations": Reservations,
    "payments": Payments,
    "events": Events,
    "relay": OutboxRelay,
}


@dataclass(frozen=True)
class Response:
    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.body.get("code", self.status))


CRASHED = Response(0, {"code": "crashed"})


class _Here(threading.local):
    """What this thread is doing."""

    environments = "first"  # whose environments serve it: "first", "second" of two at once, "meanwhile"
    subject: UUID | None = None  # the reservation of the current operation


class World:
    """Two events with four seats each, five buyers, and the operations that change them."""

    def __init__(self, stores: Stores) -> None:
        self.stores, self.stats = stores, stores.stats
        self.now = RUN_STARTS
        self.fault_injector = FaultInjector(self._meanwhile)
        self.broker = Broker()
        self._ids = count(1 << 100)
        self._here = _Here()
        self._environments: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        self._read: Counter[Position] = Counter()  # the next offset
        self.dead_letters: list[tuple[str, int, OutboxRow]] = []  # with their topic and partition
        self.tokens: dict[UUID, str] = {}  # by reservation, as its buyer received it
        self.approvals: dict[UUID, str] = {}  # by payment: the token from PortOne's window
        self.final_answers: dict[UUID, str] = {}  # by payment: the final answer that its buyer received
        self.withdrawn: set[str] = set()  # the users whose account is withdrawn
        self.day_began = self.now
        self.closed_payments: set[UUID] = set()  # those whose window at PortOne is closed
        self._owner = Database(stores.superuser)
        self._checker = connect_checker(stores.superuser)
        self._redis = connect(stores.redis_url, cluster=False)
        self._patches = ExitStack()

    # -- start and end ----------------------------------------------------------------------------------------------

    def open(self) -> None:
        with self._owner.transaction() as connection:
            connection.execute(";".join(f"DELETE FROM {table}" for table in TABLES))
        self._redis.flushall()
        self.stores.portone.open(self.clock)
        self.stores.client.base_url = self.stores.portone.url
        self._patch_wiring()
        service = EventsService(self.events.database)
        service.now = self.now
        venue = service.venue()
        made = service.hall(venue, HALL)
        times = {"starts_at": EVENT_STARTS, "ends_at": EVENT_STARTS + timedelta(hours=2), "sale_ends_at": EVENT_STARTS}
        self.event_ids = [
            service.event(
                venue_id=venue, hall_id=made, sale_starts_at=RUN_STARTS - timedelta(days=1), prices=prices, **times
            ).id
            for prices in PRICES
        ]
        self.seat_ids = {event: service.seat_ids(event) for event in self.event_ids}

    def _patch_wiring(self) -> None:
        """Make the handlers' wiring return the objects of the current environment."""

        def portone_secret() -> dict[str, str | list[str]]:
            return {
                "webhookSecrets": [SETTINGS.portone_webhook_secret, OLD_SECRET],
                "storeId": SETTINGS.portone_store_id,
                "channelKey": SETTINGS.portone_channel_key,
            }

        queue_tokens = lambda: self.payments.tokens  # noqa: E731
        for module, parts in (
            (
                purchases,
                {
                    "reservations": lambda: self.reservations.repository,
                    "hold_seats": lambda: self.reservations.hold_seats,
                    "change_seats": lambda: self.reservations.change_seats,
                    "read_reservation": lambda: self.reservations.read_reservation,
                    "ticket_qr": lambda _: "qr",
                    "release_seats": lambda: self.reservations.release_seats,
                    "cancel_reservation": lambda: self.reservations.cancel_reservation,
                    "check_payable": lambda: self.reservations.check_payable,
                },
            ),
            (reservation_tokens, {"queue_tokens": lambda: self.reservations.tokens}),
            (purchase, {"create_payment": lambda: self.payments.create_payment, "queue_tokens": queue_tokens}),
            (purchase, {"confirm_payment": lambda: self.payments.confirm_payment}),
            (gateway_sync, {"sync_with_gateway": lambda: self.payments.sync_with_gateway}),
            (payment_secrets, {"portone_secret": portone_secret}),
            (repositories, {"payment_repository": lambda: self.payments.repository}),
            (settlement, {"settle_payments": lambda: self.payments.settle_payments}),
            (settlement, {"refunds": lambda: self.payments.refunds}),
            (endpoint, {"endpoint_settings": lambda: EndpointSettings()}),
        ):
            for name, part in parts.items():
                self._patches.enter_context(patch.object(module, name, part))

    def close(self) -> None:
        self._patches.close()
        for environment in self._all_environments():
            environment.end()
        self.stats.faults += self.fault_injector.injected
        self.stats.code_locations += self.fault_injector.code_locations
        self._owner.close()
        self._checker.close()
        self._redis.close()

    # -- environments -----------------------------------------------------------------------------------------------

    def clock(self) -> datetime:
        return self.now

    def new_id(self) -> UUID:
        return UUID(int=next(self._ids))

    def login(self, user: str) -> str:
        """The URL for a Postgres login. An operation in between would wait for ever: what it waits for runs next."""
        return self.stores.login(user, 60 if self._here.environments == "meanwhile" else 20_000)

    def _all_environments(self) -> list[Any]:
        return [each for environments in self._environments.values() for each in environments.values()]

    def _environment_of(self, service: str) -> Any:
        mine = self._environments[self._here.environments]
        environment = mine.get(service)
        if environment is None or environment.crashed:
            environment = mine[service] = SERVICES[service](self)
        return environment

    @property
    def reservations(self) -> Reservations:
        return self._environment_of("reservations")  # type: ignore[no-any-return]

    @property
    def payments(self) -> Payments:
        return self._environment_of("payments")  # type: ignore[no-any-return]

    @property
    def events(self) -> Events:
        return self._environment_of("events")  # type: ignore[no-any-return]

    @property
    def relay(self) -> OutboxRelay:
        return self._environment_of("relay")  # type: ignore[no-any-return]

    def invoke(self, service: str, call: Callable[[], ResultT]) -> ResultT:
        """The response of another service. Raises ServiceUnavailable if it crashed or its store is unavailable."""
        called = self._environment_of(service)
        try:
            return call()
        except Crashed:
            if not called.crashed:
                raise
            called.end()
            raise ServiceUnavailable() from None
        except StoreUnavailable:
            raise ServiceUnavailable() from None

    # -- operations -------------------------------------------------------------------------------------------------

    def run(self, name: str, service: str, call: Callable[[], ResultT], fault: Fault | None = None) -> ResultT | None:
        """The result of `call`; None if it crashed or a store was unavailable. Any other exception is a bug."""
        self.stats.operations[name] += 1
        self._wait_for_cut_backends()
        environment, before = self._environment_of(service), self.fault_injector.set_fault(fault)
        try:
            return call()
        except Crashed:
            environment.end()
            self.stats.outcomes[f"{name}: crashed"] += 1
        except (StoreUnavailable, BrokerUnavailable):
            self.stats.outcomes[f"{name}: store unavailable"] += 1
        finally:
            self.fault_injector.set_fault(before)
        return None

    def http(self, name: str, service: str, handler: Any, event: dict[str, Any], fault: Fault | None) -> Response:
        if event["requestContext"].get("authorizer", {}).get("sub") in self.withdrawn:
            return Response(401, {"code": "TOKEN_REVOKED"})
        found = self.run(name, service, lambda: handler(event, None), fault)
        if found is None:
            return CRASHED
        response = Response(found["statusCode"], json.loads(found["body"] or "{}"))
        self.stats.outcomes[f"{name}: {response.code}"] += 1
        if response.status == 500:
            raise AssertionError(f"{name} returned 500")
        return response

    def _wait_for_cut_backends(self) -> None:
        """Wait until Postgres ended the backends of crashed environments, since they may still hold locks."""
        environments = self._all_environments()
        backends = [pid for each in environments for pid in each.database.cut_backends]
        for each in environments:
            each.database.cut_backends.clear()
        while backends and self._owner.rows("SELECT FROM pg_stat_activity WHERE pid = ANY(%s)", (backends,)):
            pass

    def _meanwhile(self, what: str) -> None:
        """Do something between two exchanges of an operation, in other environments."""
        environments, subject = self._here.environments, self._here.subject
        turn = self.fault_injector.set_turn(None)
        self._here.environments = "meanwhile"
        try:
            self.do_meanwhile(what)
        finally:
            self._here.environments, self._here.subject = environments, subject
            self.fault_injector.set_turn(turn)

    def at_once(
        self, first: Callable[[], object], second: Callable[[], object], lengths: Sequence[int] = ()
    ) -> tuple[Turn, Turn]:
        """Two operations, each in environments of its own: the turn passes to the other after so many exchanges."""

        def operation(environments: str, call: Callable[[], object]) -> Callable[[Turn], object]:
            def run(turn: Turn) -> object:
                self._here.environments = environments
                self.fault_injector.set_turn(turn)
                return call()

            return run

        return take_turns((operation("first", first), operation("second", second)), lengths, self._lock_waits)

    def _lock_waits(self) -> int:
        return len(
            self._owner.rows(
                "SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                " WHERE NOT l.granted AND a.usename = ANY(%s)",
                (LOGINS,),
            )
        )

    def do_meanwhile(self, what: str) -> None:
        """Do what this name of `machine.MEANWHILE` means, to the reservation `subject` or to all."""
        event = next(
            (row["event_id"] for row in self.reservation_rows() if row["id"] == self._here.subject), self.event_ids[0]
        )
        match what:
            case "400 s pass":
                self.later(400)
            case "expiry":
                self.expire()
            case "settling":
                self.settle()
            case "messages":
                self.publish()
                self.deliver_all(until_empty=False)
            case "webhooks":
                for which in range(len(self.stores.portone.webhooks)):
                    self.webhook(which)
            case "release" if self._here.subject:
                self.release(self._here.subject)
            case "cancellation" if self._here.subject:
                self.cancel(self._here.subject)
            case "payment" | "confirmation" | "late confirmation" if self._here.subject:
                if what == "late confirmation":
                    self.later(400)
                for row in self.payment_rows():
                    if row["reservation_id"] == self._here.subject:
                        if what == "payment":
                            self.pay(row["id"], "PAID")
                        else:
                            self.confirm(row["id"], approve=True)
            case "another hold":
                self.hold(OTHER_USER, event, self.seat_ids[event][:1])
            case "event cancelled":
                self.cancel_event(event)
                self.publish()
                self.deliver_all(until_empty=False)
                self.expire()
            case "Redis loses all data":
                self.lose_redis_data()
            case "Postgres ends all connections":
                self.end_postgres_connections()

    # -- buyers -----------------------------------------------------------------------------------------------------

    def _request(
        self, user: UUID | None, body: object = None, path: UUID | None = None, token: str = ""
    ) -> dict[str, Any]:
        claims = {"sub": str(user), "role": "USER", "sid": str(UUID(int=7)), "jti": "jti", "exp": "9999999999"}
        return {
            "httpMethod": "POST",
            "headers": {"X-Queue-Token": token} if token else {},
            "requestContext": {"authorizer": claims} if user else {},
            "pathParameters": {"id": str(path)} if path else None,
            "body": json.dumps(body, default=str) if body is not None else None,
        }

    def _admitted(self, user: UUID, event: UUID) -> str:
        """The buyer's reservation token. The waiting room admits everybody, again when the token is used up."""
        user_id, event_id = UserId(user), EventId(event)
        key = token_key(RESERVATION, event_id, user_id)
        self._redis.set(key, token_prefix(RESERVATION, event_id, user_id) + new_secret(), ex=600, nx=True)
        return str(self._redis.get(key))

    def hold(self, user: UUID, event_id: UUID, seats: Sequence[UUID], fault: Fault | None = None) -> Response:
        body = {"eventId": event_id, "seatIds": list(map(str, seats))}
        request = self._request(user, body, token=self._admitted(user, event_id))
        return self._keep_payment_token(self.http("hold", "reservations", hold_seats.handler, request, fault))

    def change(self, reservation_id: UUID, seats: Sequence[UUID], fault: Fault | None = None) -> Response:
        row = self._reservation(reservation_id)
        token = self._admitted(row["user_id"], row["event_id"])
        request = self._request(row["user_id"], {"seatIds": list(map(str, seats))}, reservation_id, token)
        return self._keep_payment_token(self.http("change", "reservations", change_seats.handler, request, fault))

    def _keep_payment_token(self, response: Response) -> Response:
        if response.status in (200, 201):
            self.tokens[UUID(response.body["reservationId"])] = response.body["paymentToken"]
        return response

    def read_own(self, reservation_id: UUID, fault: Fault | None = None) -> Response:
        user = self._reservation(reservation_id)["user_id"]
        request = self._request(user, path=reservation_id)
        response = self.http("read", "reservations", read_reservation.handler, request, fault)
        if response.status == 200 and response.body["paymentToken"]:
            self.tokens[reservation_id] = response.body["paymentToken"]
        return response

    def go_on(self, reservation_id: UUID) -> None:
        """The owner of a live hold, who has lost every answer, pays: from what GET /reservations/{id} says."""
        self.tokens.pop(reservation_id, None)
        own = self.read_own(reservation_id)
        created = self.create_payment(reservation_id, f"{reservation_id}-9")
        if created.status not in (200, 201):
            raise AssertionError(f"the owner of a live hold cannot pay: {created.code}, {own.body}")
        payment_id = UUID(created.body["paymentId"])
        if own.body["payment"] and own.body["payment"]["paymentId"] != str(payment_id):
            raise AssertionError(f"another payment than the open one: {own.body}, {created.body}")
        self.pay(payment_id, "AUTHORIZED")
        confirmed = self.confirm(payment_id, approve=True)
        if confirmed.status != 200:
            raise AssertionError(f"the owner of a live hold cannot confirm: {confirmed.code}, {own.body}")

    def release(self, reservation_id: UUID, fault: Fault | None = None) -> Response:
        user = self._reservation(reservation_id)["user_id"]
        return self.http(
            "release", "reservations", release_seats.handler, self._request(user, path=reservation_id), fault
        )

    def cancel(self, reservation_id: UUID, fault: Fault | None = None) -> Response:
        user = self._reservation(reservation_id)["user_id"]
        return self.http(
            "cancel", "reservations", cancel_reservation.handler, self._request(user, path=reservation_id), fault
        )

    def withdraw(self, user: UUID, *, cancel: bool, fault: Fault | None = None) -> None:
        """The buyer's account is withdrawn, unless something is live that they do not want to be cancelled."""

        def close() -> None:
            try:
                self.reservations.close_account.close(UserId(user), cancel=cancel)
            except AccountInUse:
                return
            self.withdrawn.add(str(user))

        self.run("withdraw", "reservations", close, fault)

    def create_payment(self, reservation_id: UUID, key: str, fault: Fault | None = None) -> Response:
        row = self._reservation(reservation_id)
        body = {"reservationId": reservation_id, "paymentKey": key, "method": "CARD"}
        request = self._request(row["user_id"], body, token=self.tokens.get(reservation_id, "qp_unknown"))
        response = self.http("create payment", "payments", create_payment.handler, request, fault)
        if response.status in (200, 201) and response.body["status"] == "SUCCESS":  # nothing was to pay
            self._record_final_answer(UUID(response.body["paymentId"]), "paid")
        return response

    def pay(self, payment_id: UUID, outcome: str, amount: int | None = None) -> None:
        """Do what the buyer does in PortOne's window."""
        if payment_id in self.closed_payments or not self._payment(payment_id)["amount"]:
            return
        self.stats.operations[f"buyer: {outcome}"] += 1
        body: dict[str, object] = {"outcome": outcome} | ({"amount": amount} if amount else {})
        response = self.fault_injector.at_turn(
            lambda: self.stores.client.post(f"/sandbox/payments/{payment_id}/pay", json=body)
        )
        if response.is_success and outcome == "AUTHORIZED":
            self.approvals[payment_id] = response.json()["paymentToken"]

    def confirm(self, payment_id: UUID, *, approve: bool, fault: Fault | None = None) -> Response:
        row = self._payment(payment_id)
        self._here.subject = row["reservation_id"]
        body: dict[str, object] = {"paymentId": payment_id}
        if approve and payment_id in self.approvals:
            body["portonePaymentToken"] = self.approvals[payment_id]
        request = self._request(row["user_id"], body, token=self.tokens.get(row["reservation_id"], "qp_unknown"))
        response = self.http("confirm", "payments", confirm_payment.handler, request, fault)
        if response.status == 200:
            self._record_final_answer(payment_id, "paid")
        elif response.code in ("AMOUNT_MISMATCH", "HOLD_EXPIRED") or (
            response.code == "PAYMENT_FAILED" and "retryUntil" not in response.body["details"]
        ):
            self._record_final_answer(payment_id, "not paid")
        return response

    def _record_final_answer(self, payment_id: UUID, what: str) -> None:
        before = self.final_answers.setdefault(payment_id, what)
        if before != what:
            raise AssertionError(f"payment {payment_id}: the buyer was told {before}, then {what}")

    # -- PortOne, schedules, messages -------------------------------------------------------------------------------

    def webhook(self, which: int, how: str = "signed", fault: Fault | None = None) -> Response:
        """Deliver PortOne's `which`-th webhook, perhaps again."""
        body = self.stores.portone.webhooks[which]
        of_payment = json.loads(body)["data"]["paymentId"]
        self._here.subject = next(
            (row["reservation_id"] for row in self.payment_rows() if str(row["id"]) == of_payment), None
        )
        secret = {"signed by the old secret": OLD_SECRET, "signed by a wrong secret": OTHER_SECRET}.get(
            how, SETTINGS.portone_webhook_secret
        )
        at = datetime.now(UTC) - timedelta(minutes=6 if how == "replayed late" else 0)
        name = f"webhook-{which}"
        request = self._request(None) | {"body": body + " " if how == "changed" else body}
        request["headers"] = {
            "webhook-id": name,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(name, at, body),
        }
        response = self.http("webhook", "payments", receive_webhook.handler, request, fault)
        valid = how in ("signed", "signed by the old secret")
        if response is not CRASHED and (response.status == 401) == valid:
            raise AssertionError(f"a webhook {how} returned {response.status}")
        return response

    def webhooks_of(self, payment_id: UUID, fault: Fault | None = None) -> None:
        """Deliver every webhook of a payment, the newest first; the fault occurs at the first one."""
        for which, body in reversed(list(enumerate(self.stores.portone.webhooks))):
            if json.loads(body)["data"]["paymentId"] == str(payment_id):
                self.webhook(which, fault=fault)
                fault = None

    def expire(self, fault: Fault | None = None) -> None:
        def sweep() -> None:
            self.reservations.expire_holds.expire()
            while self.reservations.cancel_event_reservations.cancel_batch():
                pass

        self.run("expire", "reservations", sweep, fault)

    def settle(self, fault: Fault | None = None) -> None:
        self.run("settle", "payments", lambda: settle_payments.handler({}, None), fault)

    def reconcile(self, fault: Fault | None = None) -> None:
        def run() -> None:
            reconcile(self.events.seat_records, lambda _: None, lambda _event, _error: None)

        self.run("reconcile", "events", run, fault)

    def publish(self, fault: Fault | None = None) -> None:
        self.run("publish", "relay", lambda: self.relay.relay.sweep(), fault)

    def unread(self) -> list[Position]:
        """Consumers with unread messages: consumer, topic, partition."""
        return [
            (reader, topic, partition)
            for reader, topic in CONSUMERS
            for partition in range(PARTITIONS)
            if len(self.broker.partitions[topic, partition]) > self._read[reader, topic, partition]
        ]

    def read(self) -> list[Position]:
        """Consumers that have read something: consumer, topic, partition."""
        return sorted(position for position, offset in self._read.items() if offset)

    def deliver(self, position: Position, most: int, fault: Fault | None = None) -> bool:
        """Give a consumer its next messages, as an event source mapping does. True if it applied any."""
        reader, topic, partition = position
        offset = self._read[position]
        rows = self.broker.partitions[topic, partition][offset : offset + most]
        records = [_record(row, partition, offset + at) for at, row in enumerate(rows)]
        event = {"eventSource": "aws:kafka", "records": {f"{topic}-{partition}": records}}
        consume = lambda: self._environment_of(reader).consumers[topic](event)  # noqa: E731
        response = self.run("deliver", reader, consume, fault)
        if response is None:
            return False
        failures = response["batchItemFailures"]
        self.stats.outcomes[f"deliver: {'failed' if failures else 'applied'}"] += 1
        self._read[position] = failures[0]["itemIdentifier"]["offset"] if failures else offset + len(rows)
        return self._read[position] > offset

    def dead_letter(self, position: Position) -> None:
        """The consumer passes its next message over, and keeps it as a dead letter."""
        _, topic, partition = position
        self.dead_letters.append((topic, partition, self.broker.partitions[topic, partition][self._read[position]]))
        self._read[position] += 1

    def redrive(self) -> None:
        """An operator puts every dead letter back, behind the messages that have come since."""
        for topic, partition, row in self.dead_letters:
            self.broker.partitions[topic, partition].append(row)
        self.dead_letters.clear()

    def rewind(self, position: Position, by: int) -> None:
        """A rebalance: messages with uncommitted offsets are delivered again."""
        self._read[position] = max(0, self._read[position] - by)

    def deliver_all(self, *, until_empty: bool = True) -> None:
        while positions := self.unread():
            applied = [self.deliver(position, 10) for position in positions]
            if not any(applied):
                if until_empty:
                    raise AssertionError(f"messages that cannot be delivered: {positions}")
                return

    def cancel_event(self, event_id: UUID, fault: Fault | None = None) -> None:
        def cancel() -> None:
            self.events.admin.cancel(EventId(event_id), "storm", UserId(OTHER_USER), ANY_VERSION)

        self.run("cancel event", "events", cancel, fault)

    # -- time and faults --------------------------------------------------------------------------------------------

    def later(self, seconds: float) -> None:
        """Move the clock, perhaps backwards; Redis's clock continues."""
        if self.now + timedelta(seconds=seconds) - self.day_began > LONGEST_RUN:
            return
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        if seconds > 0:
            self._redis.eval(AGE_KEYS, 0, int(seconds * 1000))
            with self._owner.transaction() as connection:
                connection.execute(
                    "UPDATE common.outbox_events SET retry_at = retry_at - make_interval(secs => %s)"
                    " WHERE retry_at IS NOT NULL",
                    (seconds,),
                )

    def lose_redis_data(self, which: int | None = None) -> None:
        """Redis loses everything, or one key with a TTL: a full Redis may evict those."""
        keys = sorted(str(key) for key in self._redis.scan_iter(count=1000) if self._redis.ttl(key) > 0)
        if which is None:
            self._redis.flushall()
            self._redis.script_flush()
        elif keys:
            self._redis.delete(keys[which % len(keys)])

    def end_postgres_connections(self) -> None:
        """Postgres ends every connection of the services."""
        self._owner.rows(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE usename = ANY(%s)", (LOGINS,)
        )

    def portone(self, mode: str) -> None:
        self.stores.client.put("/sandbox/faults", json={"mode": mode}).raise_for_status()
        # In mode `timeout` there is no response to wait for.
        self.stores.client.timeout = httpx.Timeout(0.1 if mode == "timeout" else 10)

    # -- reading ----------------------------------------------------------------------------------------------------

    def reservation_rows(self) -> list[dict[str, Any]]:
        """What GET /reservations shows each buyer: id, user_id, event_id, status of every reservation, in order."""
        return self._owner.rows(
            "SELECT id, user_id, event_id, status FROM reservation_service.reservations ORDER BY id"
        )

    def payment_rows(self) -> list[dict[str, Any]]:
        return self._owner.rows(
            "SELECT id, user_id, reservation_id, amount, status, created_at FROM payment_service.payments ORDER BY id"
        )

    def _payment(self, payment_id: UUID) -> dict[str, Any]:
        return next(row for row in self.payment_rows() if row["id"] == payment_id)

    def _reservation(self, reservation_id: UUID) -> dict[str, Any]:
        self._here.subject = reservation_id
        return next(row for row in self.reservation_rows() if row["id"] == reservation_id)

    def seats_reserved_twice(self) -> list[dict[str, Any]]:
        """Seats that are in two live reservations now."""
        return self._owner.rows(
            """
            SELECT seat_id FROM reservation_service.reservation_seats s
              JOIN reservation_service.reservations r ON r.id = s.reservation_id AND r.status <> 'CANCELLED'
             GROUP BY s.event_id, seat_id HAVING count(*) > 1
            """
        )

    # -- end of a run -----------------------------------------------------------------------------------------------

    def finish_pending_work(self, *, quick: bool = False) -> None:
        """End all faults and let the schedules run for eight minutes, then twice much later; if `quick`, once each.

        Later, because failed payments, which may have been paid without a webhook, are checked less and less often.
        """
        self.portone("none")
        self.broker.unavailable = False
        self.redrive()
        if quick:
            self.pass_time(7 * 60)
        for _ in range(1 if quick else 8):
            self._minute()
        self.pass_time(0.6 * (self.now - self.day_began).total_seconds() + 600)
        for _ in range(1 if quick else 2):
            self._minute()

    def next_day(self) -> None:
        """A day passes: from now on a cancellation has a fee, and the windows of earlier payments are closed."""
        self.pass_time(timedelta(hours=25).total_seconds())
        self.day_began = self.now
        self.closed_payments = {row["id"] for row in self.payment_rows()}

    def _minute(self) -> None:
        self.pass_time(60)
        self.expire()
        self.settle()
        self.deliver_pending()

    def deliver_pending(self) -> None:
        """Publish and deliver until nothing is left: a message leads to another."""
        self.publish()
        while self.unread():
            self.deliver_all()
            self.publish()

    def live_holds(self) -> list[UUID]:
        """PENDING reservations of which nothing has ended: the hold, the event."""
        rows = self._owner.rows(
            "SELECT r.id FROM reservation_service.reservations r JOIN event_service.events e ON e.id = r.event_id"
            " WHERE r.status = 'PENDING' AND r.hold_expires_at > %s AND e.cancelled_at IS NULL ORDER BY r.id",
            (self.now,),
        )
        return [row["id"] for row in rows]

    def left_in_redis(self) -> list[Violation]:
        """Holds and tokens that outlived their reservation. After a crash they may, until their own end."""
        return list(in_redis(self._checker, self._redis, self.now))

    def violations(self) -> list[Violation]:
        """What the checker finds, false final answers, and free seats that cannot be held."""
        found = violations(self._checker, self._redis, self.stores.portone.holdings(), self.now)
        rows = {row["id"]: row["status"] for row in self.payment_rows()}
        for payment_id, what in self.final_answers.items():
            if (rows[payment_id] in ("SUCCESS", "REFUNDED")) != (what == "paid"):
                found.append(Violation("a buyer received a false final answer", f"{what}: payment {payment_id}"))
        for row in self._owner.rows(
            "SELECT id FROM reservation_service.reservations"
            " WHERE status <> 'CANCELLED' AND event_starts_at > %s AND user_id::text = ANY(%s)",
            (self.now, list(self.withdrawn)),
        ):
            found.append(Violation("a live reservation of a withdrawn account", f"reservation {row['id']}"))
        return [*found, *self._unsellable()]

    def _unsellable(self) -> Iterator[Violation]:
        """Free seats that cannot be held."""
        sold = {
            row["seat_id"]
            for row in self._owner.rows("SELECT seat_id FROM reservation_service.reservation_seats WHERE live")
        }
        cancelled = {
            row["id"] for row in self._owner.rows("SELECT id FROM event_service.events WHERE cancelled_at IS NOT NULL")
        }
        if self.now >= EVENT_STARTS:
            return
        for number, event in enumerate(self.event_ids):
            free = [seat for seat in self.seat_ids[event] if event not in cancelled and seat not in sold]
            if not free:
                continue
            response = self.hold(UUID(int=1000 + number), event, free)
            if response.status == 201:
                self.release(UUID(response.body["reservationId"]))
            else:
                yield Violation("7 a free seat that cannot be held", f"one of {free}: {response.code}")

    def count(self) -> None:
        holdings = self.stores.portone.holdings().values()
        self.stats.runs += 1
        self.stats.paid += sum(each.paid for each in holdings)
        self.stats.refunded += sum(each.cancelled for each in holdings)
        self.stats.tickets += sum(row["status"] == "CONFIRMED" for row in self.reservation_rows())


def _record(row: OutboxRow, partition: int, offset: int) -> dict[str, Any]:
    return {
        "topic": row.topic,
        "partition": partition,
        "offset": offset,
        "timestamp": 0,
        "timestampType": "CREATE_TIME",
        "key": b64encode(row.partition_key.encode()).decode(),
        "value": b64encode(row.payload.encode()).decode(),
        "headers": [],
    }


@contextmanager
def quiet() -> Iterator[None]:
    """Disable logs: thousands of steps would write tens of thousands of log records."""
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def logins(postgres_url: str, password: str) -> Callable[[str, int], str]:
    """A service's URL, given its login and its lock timeout in ms."""

    def url(user: str, lock_timeout: int) -> str:
        options = f"-c lock_timeout={lock_timeout} -c synchronous_commit=off"  # no machine crashes here
        return psycopg.conninfo.make_conninfo(postgres_url, user=user, password=password, options=options)

    return url
