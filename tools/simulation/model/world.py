"""The services in this process over real stores and the sandbox's PortOne; time, messages and faults in one hand.

Handlers, use cases, stores and consumers are the product's. Ours are the clock, the ids, the broker (a list a
partition) and the invocation of one service by another. Each service has its own login.
"""

import io
import json
import logging
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
from common.contracts.seat_catalogue import SeatCatalogueResponse
from common.domain.ids import EventId, ReservationId, SeatId, UserId
from common.domain.shared_errors import ServiceUnavailable, StoreUnavailable
from common.http import endpoint as edge
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
from functions.payments.handlers import confirm_payment, create_payment, receive_webhook, settle_payments
from functions.payments.usecases.confirm_payment import ConfirmPayment
from functions.payments.usecases.create_payment import CreatePayment
from functions.payments.usecases.record_outcome import RecordOutcome
from functions.payments.usecases.refunds import Refunds
from functions.payments.usecases.settle_payments import SettlePayments
from functions.payments.usecases.sync_with_gateway import SyncWithGateway
from functions.payments.wiring import gateway_sync, purchase, settlement
from functions.reservations.adapters.clients.events_client import offer_of
from functions.reservations.adapters.reservation_repository import ReservationRepository
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.domain.sale_offer import SaleOffer
from functions.reservations.handlers import (
    cancel_reservation,
    change_seats,
    check_payable,
    hold_seats,
    release_seats,
)
from functions.reservations.usecases.apply_event_changes import ApplyEventChanges
from functions.reservations.usecases.apply_payment_outcomes import ApplyPaymentOutcomes
from functions.reservations.usecases.cancel_event_reservations import CancelEventReservations
from functions.reservations.usecases.cancel_reservation import CancelReservation
from functions.reservations.usecases.change_seats import ChangeSeats
from functions.reservations.usecases.check_payable import CheckPayable
from functions.reservations.usecases.drop_hold import DropHold
from functions.reservations.usecases.expire_holds import ExpireHolds
from functions.reservations.usecases.hold_seats import HoldSeats
from functions.reservations.usecases.list_live_seats import ListLiveSeats
from functions.reservations.usecases.payable_hold import PaymentTokenIssuer
from functions.reservations.usecases.release_seats import ReleaseSeats
from functions.reservations.usecases.repair_holds import RepairHolds
from functions.reservations.wiring import purchases
from functions.reservations.wiring import tokens as reservation_tokens
from tools.invariants import Violation, violations
from tools.invariants.checker import connect as look_into
from tools.simulation.events_service import EventsService, NoCache, seat_messages, seat_sales
from tools.simulation.fake_portone import SETTINGS, FakePortOne
from tools.simulation.model.exchanges import Container, Died, Fate, Fault, portone_away

ResultT = TypeVar("ResultT")

HOLD, SETTLE_AFTER = 300, timedelta(seconds=340)  # as template.yaml and payments' wiring have them
SHOW = datetime(2027, 3, 20, 10, tzinfo=UTC)
BEGIN = SHOW - timedelta(days=9)  # giving back costs something, a day after booking
AN_EXAMPLES_DAY = timedelta(hours=11)  # PortOne is asked about a failed payment for a day: nobody pays later than this
USERS = [UUID(int=user) for user in range(1, 6)]
NEWCOMER = UUID(int=99)
ROWS: list[tuple[str, Grade]] = [("A", "VIP"), ("B", "S")]
HALL = SeatTemplate(sections=[Section(name=name, grade=grade, rows=1, seats_per_row=2) for name, grade in ROWS])
OLD_SECRET, OTHER_SECRET = (f"whsec_{b64encode(each * 32).decode()}" for each in (b"o", b"x"))
PARTITIONS = 3
READERS = (
    ("reservations", PAYMENT_EVENTS),
    ("reservations", EVENT_EVENTS),
    ("events", RESERVATION_EVENTS),
    ("payments", RESERVATION_EVENTS),
)
WIPED = (
    *("common.outbox_events", "common.processed_events", "common.failed_attempts"),
    *(f"reservation_service.{table}" for table in ("reservation_seats", "reservations", "cancelled_events")),
    *(f"payment_service.{table}" for table in ("refunds", "portone_answers", "payments")),
    *(f"event_service.{table}" for table in ("seats", "events", "halls", "venues")),
)
# Redis's time does not jump when ours does: what it keeps for a while gets so much older.
AGE = """
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left >= 0 then redis.call('PEXPIRE', key, math.max(0, left - ARGV[1])) end
end
"""


@dataclass
class Stats:
    """What was done and what befell it, over all runs."""

    runs: int = 0
    steps: int = 0
    operations: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    taken: int = 0  # won
    given_back: int = 0
    tickets: int = 0
    violations: int = 0


@dataclass
class Stores:
    """What outlives a run: the servers, and one client for PortOne, whose making costs 50 ms."""

    login: Callable[[str], str]  # a Postgres login's URL
    superuser: str
    redis_url: str
    portone: FakePortOne
    client: httpx.Client
    stats: Stats = field(default_factory=Stats)


class Broker:
    """Kafka: what is published, by topic and partition. `away` takes nothing."""

    def __init__(self) -> None:
        self.lines: defaultdict[tuple[str, int], list[OutboxRow]] = defaultdict(list)
        self.away = False

    def connect(self) -> None:
        if self.away:
            raise BrokerUnavailable

    def publish(self, rows: Sequence[OutboxRow]) -> list[Exception | None]:
        for row in rows:
            self.lines[row.topic, crc32(row.partition_key.encode()) % PARTITIONS].append(row)
        return [None] * len(rows)


# -- the services, each as its wiring builds it --------------------------------------------------------


class Reservations(Container):
    def __init__(self, world: "World") -> None:
        super().__init__(world.fate, world.stores.login("reservation_service"), world.stores.redis_url)
        self.tokens = QueueTokens(self.redis)
        clock, database, seat_holds = world.clock, self.database, SeatHolds(self.redis)
        self.repository = reservations = ReservationRepository(database, Outbox(clock, world.new_id))
        offers, payment_tokens = _Offers(world, self), PaymentTokenIssuer(self.tokens, 600)
        drop_hold = DropHold(seat_holds, self.tokens)
        self.hold_seats = HoldSeats(
            database=database,
            reservations=reservations,
            seat_holds=seat_holds,
            offers=offers,
            payment_tokens=payment_tokens,
            clock=clock,
            new_id=world.new_id,
            hold_seconds=HOLD,
        )
        self.change_seats = ChangeSeats(
            database=database,
            reservations=reservations,
            seat_holds=seat_holds,
            offers=offers,
            payment_tokens=payment_tokens,
            clock=clock,
        )
        self.release_seats = ReleaseSeats(database, reservations, drop_hold, clock)
        self.cancel_reservation = CancelReservation(database, reservations, drop_hold, clock)
        self.check_payable = CheckPayable(database, reservations, clock)
        self.expire_holds = ExpireHolds(database, reservations, drop_hold, clock)
        self.cancel_event_reservations = CancelEventReservations(database, reservations, drop_hold, clock)
        self.list_live_seats = ListLiveSeats(reservations, seat_holds, clock)
        self.repair_holds = RepairHolds(reservations, seat_holds, clock)
        payments = ApplyPaymentOutcomes(reservations, drop_hold, self.tokens, clock)
        events = ApplyEventChanges(reservations, clock)
        self.consumers = {
            PAYMENT_EVENTS: Consumer(
                "reservations", self.database, {PaymentSuccess: payments.paid, PaymentFailed: payments.failed}
            ),
            EVENT_EVENTS: Consumer(
                "reservations", self.database, {EventCancelled: events.cancelled, EventRescheduled: events.rescheduled}
            ),
        }


class Payments(Container):
    def __init__(self, world: "World") -> None:
        super().__init__(world.fate, world.stores.login("payment_service"), world.stores.redis_url)
        self.tokens = QueueTokens(self.redis)
        payments, refunds = PaymentRepository(self.database), RefundRepository(self.database)
        circuit = CircuitBreaker("portone", self.redis, world.clock, failures=(GatewayUnavailable,))
        wire: Any = _Wire(self, world.stores.client)
        gateway = PortOne(wire, payments.add_gateway_answer, circuit.attempt, SETTINGS.portone_channel_key)
        call: Any = self.mortal("another service", _payable_of(world), ServiceUnavailable)
        reservations = ReservationsClient(call, "ReservationsPayableFunction")
        outcome = RecordOutcome(self.database, payments, refunds, Outbox(world.clock, world.new_id))
        self.sync_with_gateway = SyncWithGateway(payments, outcome, gateway, world.clock, world.new_id)
        self.create_payment = CreatePayment(payments, gateway, reservations, world.clock, world.new_id)
        self.confirm_payment = ConfirmPayment(payments, gateway, reservations, self.sync_with_gateway)
        self.settle_payments = SettlePayments(payments, self.sync_with_gateway, world.clock, SETTLE_AFTER)
        self.refunds = Refunds(payments, refunds, outcome, gateway, world.clock)
        self.consumers = {
            RESERVATION_EVENTS: Consumer("payments", self.database, {ReservationCancelled: self.refunds.add_refund})
        }


class Events(Container):
    def __init__(self, world: "World") -> None:
        super().__init__(world.fate, world.stores.login("event_service"), world.stores.redis_url)
        cache = NoCache()
        self.events, self.seats = EventRepository(self.database, world.clock), SeatRepository(self.database)
        outbox = Outbox(world.clock)
        self.admin = EventAdmin(self.database, self.events, outbox, cache, world.clock, world.new_id)
        ledger = _Ledger(world, self)
        self.seat_records = SeatRecords(self.database, self.events, self.seats, seat_sales(), ledger, cache)
        self.consumers = {RESERVATION_EVENTS: Consumer("events", self.database, seat_messages(cache).handlers)}


class OutboxRelay(Container):
    consumers: dict[str, Consumer] = {}  # noqa: RUF012

    def __init__(self, world: "World") -> None:
        super().__init__(world.fate, world.stores.login("relay"), world.stores.redis_url)
        self._broker = world.broker
        self.relay = Relay(OutboxRepository(self.database), self, batch=100)
        self._publish = self.mortal("Kafka", world.broker.publish, BrokerUnavailable)

    def connect(self) -> None:
        self._broker.connect()

    def publish(self, rows: Sequence[OutboxRow]) -> list[Exception | None]:
        try:
            return self._publish(rows)
        except BrokerUnavailable as away:
            return [away] * len(rows)


class _Wire:
    """The HTTP client, as exchanges."""

    def __init__(self, container: Container, client: httpx.Client) -> None:
        self.build_request = client.build_request
        self.send = container.mortal("PortOne", client.send, portone_away)


class _Offers:
    def __init__(self, world: "World", asking: Container) -> None:
        self.offer = asking.mortal("another service", self._offer, ServiceUnavailable)
        self._world = world

    def _offer(self, event_id: UUID, seat_ids: Sequence[UUID]) -> SaleOffer:
        asked = EventId(event_id), list(map(SeatId, seat_ids))
        offer = self._world.invoke("events", lambda: self._world.events.seats.offer(*asked))
        return offer_of(SeatCatalogueResponse.model_validate(offer, from_attributes=True))


class _Ledger:
    def __init__(self, world: "World", asking: Container) -> None:
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


SERVICES: dict[str, Callable[["World"], Any]] = {
    "reservations": Reservations,
    "payments": Payments,
    "events": Events,
    "relay": OutboxRelay,
}


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.body.get("code", self.status))


DIED = Answer(0, {"code": "died"})


class World:
    """Two events of four seats, five buyers, and what they do; nothing of it has happened yet."""

    def __init__(self, stores: Stores) -> None:
        self.stores, self.stats = stores, stores.stats
        self.now = BEGIN
        self.fate = Fate(self._meanwhile)
        self.broker = Broker()
        self._ids = count(1 << 100)
        self._containers: dict[str, Any] = {}
        self._others: dict[str, Any] = {}
        self._read: Counter[tuple[str, str, int]] = Counter()  # by reader, topic, partition: the next to be read
        self.tokens: dict[UUID, str] = {}  # a reservation's payment token, as its buyer was told
        self.approvals: dict[UUID, str] = {}  # a payment's token from PortOne's window
        self.told: dict[UUID, str] = {}  # what a buyer was told of a payment for good
        self.subject: UUID | None = None  # the reservation that is being worked on
        self.day_began = self.now
        self.yesterday: set[UUID] = set()  # payments whose window at PortOne is closed
        self._owner = Database(stores.superuser)
        self._look = look_into(stores.superuser)
        self._redis = connect(stores.redis_url, cluster=False)
        self._patches = ExitStack()

    # -- beginning and end ------------------------------------------------------------------------------------------

    def open(self) -> None:
        with self._owner.transaction() as connection:
            connection.execute(";".join(f"DELETE FROM {table}" for table in WIPED))
        self._redis.flushall()
        self.stores.portone.open(self.clock)
        self.stores.client.base_url = self.stores.portone.url
        self._put_in_place()
        service = EventsService(self.events.database)
        service.now = self.now
        venue = service.venue()
        made = service.hall(venue, HALL)
        times = {"starts_at": SHOW, "ends_at": SHOW + timedelta(hours=2), "sale_ends_at": SHOW}
        self.event_ids = [
            service.event(venue_id=venue, hall_id=made, sale_starts_at=BEGIN - timedelta(days=1), **times).id
            for _ in range(2)
        ]
        self.seat_ids = {event: service.seat_ids(event) for event in self.event_ids}

    def _put_in_place(self) -> None:
        """The handlers ask their compositions for what the container under way has."""

        def portone_secret() -> dict[str, str | list[str]]:
            return {
                "webhookSecrets": [SETTINGS.portone_webhook_secret, OLD_SECRET],
                "storeId": SETTINGS.portone_store_id,
                "channelKey": SETTINGS.portone_channel_key,
            }

        ours = lambda: self.payments.tokens  # noqa: E731
        for module, parts in (
            (
                purchases,
                {
                    "reservations": lambda: self.reservations.repository,
                    "hold_seats": lambda: self.reservations.hold_seats,
                    "change_seats": lambda: self.reservations.change_seats,
                    "release_seats": lambda: self.reservations.release_seats,
                    "cancel_reservation": lambda: self.reservations.cancel_reservation,
                    "check_payable": lambda: self.reservations.check_payable,
                },
            ),
            (reservation_tokens, {"queue_tokens": lambda: self.reservations.tokens}),
            (purchase, {"create_payment": lambda: self.payments.create_payment, "queue_tokens": ours}),
            (purchase, {"confirm_payment": lambda: self.payments.confirm_payment}),
            (gateway_sync, {"sync_with_gateway": lambda: self.payments.sync_with_gateway}),
            (gateway_sync, {"portone_secret": portone_secret}),
            (settlement, {"settle_payments": lambda: self.payments.settle_payments}),
            (settlement, {"refunds": lambda: self.payments.refunds}),
            (edge, {"endpoint_settings": lambda: EndpointSettings()}),
        ):
            for name, part in parts.items():
                self._patches.enter_context(patch.object(module, name, part))

    def close(self) -> None:
        self._patches.close()
        for container in (*self._containers.values(), *self._others.values()):
            container.bury()
        self.stats.faults += self.fate.struck
        self.stats.places += self.fate.places
        self._owner.close()
        self._look.close()
        self._redis.close()

    # -- who is there -----------------------------------------------------------------------------------------------

    def clock(self) -> datetime:
        return self.now

    def new_id(self) -> UUID:
        return UUID(int=next(self._ids))

    def _warm(self, service: str) -> Any:
        container = self._containers.get(service)
        if container is None or container.dead:
            container = self._containers[service] = SERVICES[service](self)
        return container

    @property
    def reservations(self) -> Reservations:
        return self._warm("reservations")  # type: ignore[no-any-return]

    @property
    def payments(self) -> Payments:
        return self._warm("payments")  # type: ignore[no-any-return]

    @property
    def events(self) -> Events:
        return self._warm("events")  # type: ignore[no-any-return]

    @property
    def relay(self) -> OutboxRelay:
        return self._warm("relay")  # type: ignore[no-any-return]

    def invoke(self, service: str, call: Callable[[], ResultT]) -> ResultT:
        """What another service answers; that it died, or its store is away, is all the same to who asked."""
        asked = self._warm(service)
        try:
            return call()
        except Died:
            if not asked.dead:
                raise
            asked.bury()
            raise ServiceUnavailable() from None
        except StoreUnavailable:
            raise ServiceUnavailable() from None

    # -- operations -------------------------------------------------------------------------------------------------

    def run(self, name: str, service: str, call: Callable[[], ResultT], fault: Fault | None = None) -> ResultT | None:
        """What `call` returns; None if it died or a store was away. Anything else that is raised is a bug."""
        self.stats.operations[name] += 1
        self._let_ghosts_go()
        container, before = self._warm(service), self.fate.await_(fault)
        try:
            return call()
        except Died:
            container.bury()
            self.stats.outcomes[f"{name}: died"] += 1
        except (StoreUnavailable, BrokerUnavailable):
            self.stats.outcomes[f"{name}: store away"] += 1
        finally:
            self.fate.await_(before)
        return None

    def http(self, name: str, service: str, handler: Any, event: dict[str, Any], fault: Fault | None) -> Answer:
        found = self.run(name, service, lambda: handler(event, None), fault)
        if found is None:
            return DIED
        answer = Answer(found["statusCode"], json.loads(found["body"] or "{}"))
        self.stats.outcomes[f"{name}: {answer.code}"] += 1
        if answer.status == 500:
            raise AssertionError(f"{name} answered 500")
        return answer

    def _let_ghosts_go(self) -> None:
        """Until Postgres has noticed that those who died are gone: a lock of theirs would be anybody's luck."""
        gone = [pid for each in (self._containers, self._others) for box in each.values() for pid in box.database.gone]
        for box in (*self._containers.values(), *self._others.values()):
            box.database.gone.clear()
        while gone and self._owner.rows("SELECT FROM pg_stat_activity WHERE pid = ANY(%s)", (gone,)):
            pass

    def _meanwhile(self, what: str) -> None:
        """Something happens between two exchanges of an operation, done by other containers."""
        self._containers, self._others = self._others, self._containers
        subject = self.subject
        try:
            self.happen(what)
        finally:
            self._containers, self._others, self.subject = self._others, self._containers, subject

    def happen(self, what: str) -> None:
        """By its name: what may befall `subject`, or everybody."""
        event = next(
            (row["event_id"] for row in self.reservation_rows() if row["id"] == self.subject), self.event_ids[0]
        )
        match what:
            case "a freeze of 400 s":
                self.later(400)
            case "expiry":
                self.expire()
            case "settling":
                self.settle()
            case "messages":
                self.publish()
                self.deliver_all(patient=False)
            case "webhooks":
                for which in range(len(self.stores.portone.webhooks)):
                    self.webhook(which)
            case "release" if self.subject:
                self.release(self.subject)
            case "cancellation" if self.subject:
                self.cancel(self.subject)
            case "payment" | "confirmation" | "late confirmation" if self.subject:
                if what == "late confirmation":
                    self.later(400)
                for row in self.payment_rows():
                    if row["reservation_id"] == self.subject:
                        if what == "payment":
                            self.pay(row["id"], "PAID")
                        else:
                            self.confirm(row["id"], approve=True)
            case "another hold":
                self.hold(NEWCOMER, event, self.seat_ids[event][:1])
            case "the event's end":
                self.cancel_event(event)
                self.publish()
                self.deliver_all(patient=False)
                self.expire()
            case "Redis forgetting":
                self.forget()
            case "Postgres restarting":
                self.restart_postgres()

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
        """The waiting room admits every user."""
        user_id, event_id = UserId(user), EventId(event)
        token = token_prefix(RESERVATION, event_id, user_id) + new_secret()
        self._redis.set(token_key(RESERVATION, event_id, user_id), token, ex=600)
        return token

    def hold(self, user: UUID, event_id: UUID, seats: Sequence[UUID], fault: Fault | None = None) -> Answer:
        body = {"eventId": event_id, "seatIds": list(map(str, seats))}
        request = self._request(user, body, token=self._admitted(user, event_id))
        return self._told_token(self.http("hold", "reservations", hold_seats.handler, request, fault))

    def change(self, reservation_id: UUID, seats: Sequence[UUID], fault: Fault | None = None) -> Answer:
        row = self._reservation(reservation_id)
        token = self._admitted(row["user_id"], row["event_id"])
        request = self._request(row["user_id"], {"seatIds": list(map(str, seats))}, reservation_id, token)
        return self._told_token(self.http("change", "reservations", change_seats.handler, request, fault))

    def _told_token(self, answer: Answer) -> Answer:
        if answer.status in (200, 201):
            self.tokens[UUID(answer.body["reservationId"])] = answer.body["paymentToken"]
        return answer

    def release(self, reservation_id: UUID, fault: Fault | None = None) -> Answer:
        user = self._reservation(reservation_id)["user_id"]
        return self.http(
            "release", "reservations", release_seats.handler, self._request(user, path=reservation_id), fault
        )

    def cancel(self, reservation_id: UUID, fault: Fault | None = None) -> Answer:
        user = self._reservation(reservation_id)["user_id"]
        return self.http(
            "cancel", "reservations", cancel_reservation.handler, self._request(user, path=reservation_id), fault
        )

    def create_payment(self, reservation_id: UUID, key: str, fault: Fault | None = None) -> Answer:
        row = self._reservation(reservation_id)
        body = {"reservationId": reservation_id, "paymentKey": key, "method": "CARD"}
        request = self._request(row["user_id"], body, token=self.tokens.get(reservation_id, "qp_unknown"))
        return self.http("create payment", "payments", create_payment.handler, request, fault)

    def pay(self, payment_id: UUID, outcome: str, amount: int | None = None) -> None:
        """What the buyer does in PortOne's window."""
        if payment_id in self.yesterday:
            return
        self.stats.operations[f"buyer: {outcome}"] += 1
        body: dict[str, object] = {"outcome": outcome} | ({"amount": amount} if amount else {})
        answer = self.stores.client.post(f"/sandbox/payments/{payment_id}/pay", json=body)
        if answer.is_success and outcome == "AUTHORIZED":
            self.approvals[payment_id] = answer.json()["paymentToken"]

    def confirm(self, payment_id: UUID, *, approve: bool, fault: Fault | None = None) -> Answer:
        row = next(row for row in self.payment_rows() if row["id"] == payment_id)
        self.subject = row["reservation_id"]
        body: dict[str, object] = {"paymentId": payment_id}
        if approve and payment_id in self.approvals:
            body["portonePaymentToken"] = self.approvals[payment_id]
        request = self._request(row["user_id"], body, token=self.tokens.get(row["reservation_id"], "qp_unknown"))
        answer = self.http("confirm", "payments", confirm_payment.handler, request, fault)
        if answer.status == 200:
            self._tell(payment_id, "paid")
        elif answer.code in ("PAYMENT_FAILED", "AMOUNT_MISMATCH", "HOLD_EXPIRED"):
            self._tell(payment_id, "not paid")
        return answer

    def _tell(self, payment_id: UUID, what: str) -> None:
        before = self.told.setdefault(payment_id, what)
        if before != what:
            raise AssertionError(f"told {before} first, and then {what}, of payment {payment_id}")

    # -- PortOne, schedules, messages -------------------------------------------------------------------------------

    def webhook(self, which: int, how: str = "signed", fault: Fault | None = None) -> Answer:
        """The `which`-th thing PortOne has to tell; again if it was told before."""
        body = self.stores.portone.webhooks[which]
        about = json.loads(body)["data"]["paymentId"]
        self.subject = next((row["reservation_id"] for row in self.payment_rows() if str(row["id"]) == about), None)
        secret = {"signed by the old secret": OLD_SECRET, "signed by another": OTHER_SECRET}.get(
            how, SETTINGS.portone_webhook_secret
        )
        at = datetime.now(UTC) - timedelta(minutes=6 if how == "replayed late" else 0)
        name = f"webhook-{which}"
        request = self._request(None) | {"body": body + " " if how == "tampered with" else body}
        request["headers"] = {
            "webhook-id": name,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(name, at, body),
        }
        answer = self.http("webhook", "payments", receive_webhook.handler, request, fault)
        believed = how in ("signed", "signed by the old secret")
        if answer is not DIED and (answer.status == 401) == believed:
            raise AssertionError(f"a webhook {how} was answered {answer.status}")
        return answer

    def expire(self, fault: Fault | None = None) -> None:
        def sweep() -> None:
            self.reservations.expire_holds.expire()
            while self.reservations.cancel_event_reservations.cancel_batch():
                pass

        self.run("expire", "reservations", sweep, fault)

    def settle(self, fault: Fault | None = None) -> None:
        self.run("settle", "payments", lambda: settle_payments.handler({}, None), fault)

    def reconcile(self, fault: Fault | None = None) -> None:
        def look() -> None:
            reconcile(self.events.seat_records, lambda _: None, lambda _event, _error: None)

        self.run("reconcile", "events", look, fault)

    def publish(self, fault: Fault | None = None) -> None:
        self.run("publish", "relay", lambda: self.relay.relay.sweep(), fault)

    def unread(self) -> list[tuple[str, str, int]]:
        """Readers that have something to read, with topic and partition."""
        return [
            (reader, topic, partition)
            for reader, topic in READERS
            for partition in range(PARTITIONS)
            if len(self.broker.lines[topic, partition]) > self._read[reader, topic, partition]
        ]

    def read(self) -> list[tuple[str, str, int]]:
        """Readers that have read something."""
        return sorted(place for place, offset in self._read.items() if offset)

    def deliver(self, place: tuple[str, str, int], most: int, fault: Fault | None = None) -> bool:
        """Hand a reader its next messages, as an event source mapping does; whether it took any."""
        reader, topic, partition = place
        offset = self._read[place]
        rows = self.broker.lines[topic, partition][offset : offset + most]
        records = [_record(row, partition, offset + at) for at, row in enumerate(rows)]
        event = {"eventSource": "aws:kafka", "records": {f"{topic}-{partition}": records}}
        consume = lambda: self._warm(reader).consumers[topic](event)  # noqa: E731
        answer = self.run("deliver", reader, consume, fault)
        if answer is None:
            return False
        failures = answer["batchItemFailures"]
        self.stats.outcomes[f"deliver: {'to come again' if failures else 'taken'}"] += 1
        self._read[place] = failures[0]["itemIdentifier"]["offset"] if failures else offset + len(rows)
        return self._read[place] > offset

    def rewind(self, place: tuple[str, str, int], by: int) -> None:
        """A rebalance: what was not committed comes again."""
        self._read[place] = max(0, self._read[place] - by)

    def deliver_all(self, *, patient: bool = True) -> None:
        while places := self.unread():
            took = [self.deliver(place, 10) for place in places]
            if not any(took):
                if patient:
                    raise AssertionError(f"messages that cannot be delivered: {places}")
                return

    def cancel_event(self, event_id: UUID, fault: Fault | None = None) -> None:
        def cancel() -> None:
            self.events.admin.cancel(EventId(event_id), "storm", UserId(NEWCOMER), ANY_VERSION)

        self.run("cancel event", "events", cancel, fault)

    # -- the world around -------------------------------------------------------------------------------------------

    def later(self, seconds: float) -> None:
        """A clock may also be set back; Redis's own goes on."""
        if self.now + timedelta(seconds=seconds) - self.day_began > AN_EXAMPLES_DAY:
            return
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        if seconds > 0:
            self._redis.eval(AGE, 0, int(seconds * 1000))
            with self._owner.transaction() as connection:
                connection.execute(
                    "UPDATE common.outbox_events SET retry_at = retry_at - make_interval(secs => %s)"
                    " WHERE retry_at IS NOT NULL",
                    (seconds,),
                )

    def forget(self, which: int | None = None) -> None:
        """Redis loses everything, or one key that it was to keep for a while: it may, when it is full."""
        keys = sorted(str(key) for key in self._redis.scan_iter(count=1000) if self._redis.ttl(key) > 0)
        if which is None:
            self._redis.flushall()
            self._redis.script_flush()
        elif keys:
            self._redis.delete(keys[which % len(keys)])

    def restart_postgres(self) -> None:
        """Every connection of the services ends."""
        self._owner.rows(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
            " WHERE usename IN ('reservation_service', 'payment_service', 'event_service', 'relay')"
        )

    def portone(self, mode: str) -> None:
        self.stores.client.put("/sandbox/faults", json={"mode": mode}).raise_for_status()
        # `timeout` answers nobody: there is nothing to wait for.
        self.stores.client.timeout = httpx.Timeout(0.1 if mode == "timeout" else 10)

    # -- looking ----------------------------------------------------------------------------------------------------

    def reservation_rows(self) -> list[dict[str, Any]]:
        """As GET /reservations tells each buyer: id, user_id, event_id, status, of every reservation, in order."""
        return self._owner.rows(
            "SELECT id, user_id, event_id, status FROM reservation_service.reservations ORDER BY id"
        )

    def payment_rows(self) -> list[dict[str, Any]]:
        return self._owner.rows(
            "SELECT id, user_id, reservation_id, amount, status, created_at FROM payment_service.payments ORDER BY id"
        )

    def _reservation(self, reservation_id: UUID) -> dict[str, Any]:
        self.subject = reservation_id
        return next(row for row in self.reservation_rows() if row["id"] == reservation_id)

    def twice_sold(self) -> list[dict[str, Any]]:
        """Seats in two live reservations, at any moment."""
        return self._owner.rows(
            """
            SELECT seat_id FROM reservation_service.reservation_seats s
              JOIN reservation_service.reservations r ON r.id = s.reservation_id AND r.status <> 'CANCELLED'
             GROUP BY s.event_id, seat_id HAVING count(*) > 1
            """
        )

    # -- the end ----------------------------------------------------------------------------------------------------

    def settle_down(self) -> None:
        """No more faults; time passes, and what is scheduled runs: eight minutes, and twice much later, for the money
        that came to a failed payment without a webhook is looked for ever less often."""
        self.portone("none")
        self.broker.away = False
        for _ in range(8):
            self._minute()
        self.pass_time(0.6 * (self.now - self.day_began).total_seconds() + 600)
        for _ in range(2):
            self._minute()

    def next_day(self) -> None:
        """After all has settled: what was bought costs something to give back, and yesterday's windows are closed."""
        self.pass_time(timedelta(hours=25).total_seconds())
        self.day_began = self.now
        self.yesterday = {row["id"] for row in self.payment_rows()}

    def _minute(self) -> None:
        self.pass_time(60)
        self.expire()
        self.settle()
        self.publish()
        while self.unread():  # a message leads to another
            self.deliver_all()
            self.publish()

    def violations(self) -> list[Violation]:
        """What the checker finds, and what only those who saw it happen can know."""
        found = violations(self._look, self._redis, self.stores.portone.holdings(), self.now)
        rows = {row["id"]: row["status"] for row in self.payment_rows()}
        for payment_id, what in self.told.items():
            if (rows[payment_id] in ("SUCCESS", "REFUNDED")) != (what == "paid"):
                found.append(Violation("a buyer was told what is not so", f"{what}: payment {payment_id}"))
        return [*found, *self._unsellable()]

    def _unsellable(self) -> Iterator[Violation]:
        """Every seat that nobody has can be had."""
        sold = {
            row["seat_id"]
            for row in self._owner.rows("SELECT seat_id FROM reservation_service.reservation_seats WHERE live")
        }
        off = {
            row["id"] for row in self._owner.rows("SELECT id FROM event_service.events WHERE cancelled_at IS NOT NULL")
        }
        if self.now >= SHOW:
            return
        for number, event in enumerate(self.event_ids):
            free = [seat for seat in self.seat_ids[event] if event not in off and seat not in sold]
            if not free:
                continue
            answer = self.hold(UUID(int=1000 + number), event, free)
            if answer.status == 201:
                self.release(UUID(answer.body["reservationId"]))
            else:
                yield Violation("7 a free seat that cannot be had", f"one of {free}: {answer.code}")

    def count(self) -> None:
        holdings = self.stores.portone.holdings().values()
        self.stats.runs += 1
        self.stats.taken += sum(each.paid for each in holdings)
        self.stats.given_back += sum(each.cancelled for each in holdings)
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
    """Thousands of steps log tens of thousands of lines."""
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def logins(postgres_url: str, password: str) -> Callable[[str], str]:
    """A service's URL. It waits for a lock 60 ms at most: what happens meanwhile is done by the thread that waits."""
    options = "-c lock_timeout=60 -c synchronous_commit=off"  # no machine is lost here
    return lambda user: psycopg.conninfo.make_conninfo(postgres_url, user=user, password=password, options=options)
