"""The invariant checker finds every planted violation by its rule, and none in consistent stores."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from common.stores.postgres import Database
from common.stores.redis import Client
from functions.payments.adapters.clients.portone import portone_client
from tests.conftest import PASSWORD
from tools.invariants import BankPayment, violations
from tools.invariants.checker import connect, rules
from tools.simulation.fake_portone import SETTINGS, fake_portone
from tools.simulation.model.world import RUN_STARTS, USERS, Stores, World, logins


class ConsistentStores:
    """Services with a bought, a cancelled, a declined and a held reservation, after everything has settled."""

    def __init__(self, world: World, redis: Client) -> None:
        self.world, self.redis = world, redis
        event = world.event_ids[0]
        first, second, third, fourth = world.seat_ids[event]
        self.bought, self.cancelled = self.buy(0, first), self.buy(1, second)
        self.declined = self.buy(2, third, outcome="FAILED")
        world.finish_pending_work()
        world.next_day()
        world.cancel(self.cancelled)
        world.finish_pending_work()
        self.held = UUID(world.hold(USERS[3], event, [fourth]).body["reservationId"])
        self.bank = world.stores.portone.holdings()

    def buy(self, user: int, seat: UUID, outcome: str = "AUTHORIZED") -> UUID:
        held = self.world.hold(USERS[user], self.world.event_ids[0], [seat]).body["reservationId"]
        payment = UUID(self.world.create_payment(UUID(held), held).body["paymentId"])
        self.world.pay(payment, outcome)
        self.world.confirm(payment, approve=True)
        return UUID(held)

    def payment_of(self, reservation: UUID) -> UUID:
        payment: UUID = next(row["id"] for row in self.world.payment_rows() if row["reservation_id"] == reservation)
        return payment

    def found(self, planted: str = "SELECT") -> set[str]:
        """The rules that are violated after the SQL `planted`, which is rolled back. `{bought}` is a reservation id."""
        ids = {name: f"'{value}'" for name, value in vars(self).items() if isinstance(value, UUID)}
        with connect(self.world.stores.superuser) as postgres, postgres.transaction(force_rollback=True):
            postgres.execute(planted.format(**ids).encode())
            return {each.rule for each in violations(postgres, self.redis, self.bank, self.world.now)}

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Restores Redis and the bank at the end."""
        bank, keys = dict(self.bank), set(self.redis.scan_iter())
        tokens = {str(key): str(self.redis.get(str(key))) for key in self.redis.scan_iter("queue:token:*")}
        yield
        self.bank = bank
        self.redis.delete(*set(self.redis.scan_iter()) - keys, "nothing")
        for hold in self.redis.scan_iter("seat:hold:*"):
            self.redis.expire(str(hold), 300)
        for key, token in tokens.items():
            self.redis.set(key, token, ex=300)


@pytest.fixture
def stores(postgres_url: str, superuser: Database, redis_url: str, redis: Client) -> Iterator[ConsistentStores]:
    with fake_portone() as portone, portone_client("http://127.0.0.1:9", SETTINGS.portone_api_secret) as client:
        world = World(Stores(logins(postgres_url, PASSWORD), postgres_url, redis_url, portone, client))
        world.open()
        yield ConsistentStores(world, redis)
        world.close()


SEATS, RESERVATIONS = "reservation_service.reservation_seats", "reservation_service.reservations"
PAYMENTS, REFUNDS, OUTBOX = "payment_service.payments", "payment_service.refunds", "common.outbox_events"
PLANTED_IN_POSTGRES = {
    "1 a seat in two live reservations": f"""
        INSERT INTO {SEATS} (reservation_id, event_id, seat_id, number, grade, price, live)
        SELECT {{held}}, event_id, seat_id, number, grade, price, false
          FROM {SEATS} WHERE reservation_id = {{bought}}""",
    "1 a seat that is live though its reservation is not, or the reverse": f"""
        UPDATE {SEATS} SET live = true WHERE reservation_id = {{declined}}""",
    "1 a seat sold to others than its confirmed reservation": f"""
        UPDATE event_service.seats SET claims = '{{{{}}}}'
         WHERE id = (SELECT seat_id FROM {SEATS} WHERE reservation_id = {{bought}})""",
    "1 a reservation whose sum is not that of its seats": f"""
        UPDATE {RESERVATIONS} SET total_amount = total_amount + 1 WHERE id = {{held}}""",
    "2 a confirmed reservation without its payment": f"""
        UPDATE {RESERVATIONS} SET payment_id = gen_random_uuid() WHERE id = {{bought}}""",
    "2 a payment kept without its reservation": f"""
        UPDATE {RESERVATIONS} SET status = 'CANCELLED', cancelled_at = now(), cancel_reason = 'USER_REQUEST'
         WHERE id = {{bought}}""",
    "2 a reservation paid more than once": f"""
        DROP INDEX payment_service.one_payment_a_reservation;
        INSERT INTO {PAYMENTS} (id, payment_key, reservation_id, event_id, user_id, order_name, amount, method, status,
                                paid_at)
        SELECT gen_random_uuid(), 'twice', reservation_id, event_id, user_id, order_name, amount, method, status,
               paid_at
          FROM {PAYMENTS} WHERE reservation_id = {{bought}}""",
    "2 a refund that is not what was due": f"""
        UPDATE {PAYMENTS} SET refunded_amount = refunded_amount - 1 WHERE reservation_id = {{cancelled}}""",
    "3 a message that is not published": f"""
        UPDATE {OUTBOX} SET published_at = NULL WHERE event_type = 'PaymentSuccess'""",
    "3 a dead letter": f"""
        INSERT INTO {OUTBOX} (message_id, topic, partition_key, shard, aggregate_type, event_type, payload, headers)
        VALUES (gen_random_uuid(), 'dlq.payment', 'key', 0, 'Payment', 'DeadLetter', '', '{{{{}}}}')""",
    "3 a change told other than once": f"""
        DELETE FROM {OUTBOX} WHERE event_type = 'ReservationConfirmed'""",
    "4 a message that its reader has not applied": """
        DELETE FROM common.processed_events WHERE consumer = 'events'""",
    "4 a refund asked for and not written down": f"""
        DELETE FROM {REFUNDS}""",
    "7 a reservation PENDING past its hold": f"""
        UPDATE {RESERVATIONS} SET hold_expires_at = created_at - interval '1 minute' WHERE id = {{held}}""",
    "7 a payment PENDING past its settling time": f"""
        UPDATE {PAYMENTS} SET status = 'PENDING', failure_reason = NULL WHERE reservation_id = {{declined}}""",
    "7 a refund that is still due": f"""
        UPDATE {REFUNDS} SET done_at = NULL""",
    "7 a live reservation of a cancelled event": """
        UPDATE event_service.events SET cancelled_at = now()""",
    "7 a cancelled event that is not seen through": """
        INSERT INTO reservation_service.cancelled_events (event_id, cancelled_at) VALUES (gen_random_uuid(), now())""",
}


def payment_of_unknown_origin(stores: ConsistentStores) -> None:
    stores.bank[uuid4()] = BankPayment(1000, 0)


def payment_missing_at_the_bank(stores: ConsistentStores) -> None:
    del stores.bank[stores.payment_of(stores.bought)]


def refund_too_small(stores: ConsistentStores) -> None:
    payment = stores.bank[stores.payment_of(stores.cancelled)]
    stores.bank[stores.payment_of(stores.cancelled)] = BankPayment(payment.paid, payment.cancelled - 1)


def failed_payment_not_returned(stores: ConsistentStores) -> None:
    stores.bank[stores.payment_of(stores.declined)] = BankPayment(1, 0)


def hold_without_reservation(stores: ConsistentStores) -> None:
    stores.redis.set(f"seat:hold:{{{uuid4()}}}:{uuid4()}", str(uuid4()), ex=300)


def hold_without_expiry(stores: ConsistentStores) -> None:
    key = next(iter(stores.redis.scan_iter("seat:hold:*")))
    stores.redis.persist(str(key))


def listed_hold_without_reservation(stores: ConsistentStores) -> None:
    until = (stores.world.now + timedelta(minutes=1)).timestamp() * 1000
    stores.redis.zadd(f"hold_seats:{{{uuid4()}}}", {str(uuid4()): until})


def token_of_a_paid_reservation(stores: ConsistentStores) -> None:
    event = stores.world.event_ids[0]
    stores.redis.set(f"queue:token:{{{event}}}:qp:{stores.bought}", f"qp_{event.hex}_{stores.bought.hex}_secret", ex=60)


def token_of_another_reservation(stores: ConsistentStores) -> None:
    event = stores.world.event_ids[0]
    stores.redis.set(f"queue:token:{{{event}}}:qp:{stores.held}", f"qp_{event.hex}_{stores.bought.hex}_secret", ex=60)


PLANTED_ELSEWHERE: list[tuple[str, Callable[[ConsistentStores], None]]] = [
    ("2 money of an unknown payment", payment_of_unknown_origin),
    ("2 a payment recorded as paid that the bank was never paid", payment_missing_at_the_bank),
    ("2 money kept that is not owed, or owed and not kept", refund_too_small),
    ("2 money kept that is not owed, or owed and not kept", failed_payment_not_returned),
    ("7 a seat held in Redis by no live reservation", hold_without_reservation),
    ("7 a hold in Redis that never ends", hold_without_expiry),
    ("7 a seat shown as held by no live reservation", listed_hold_without_reservation),
    ("6 a payment token that is not its own reservation's, or outlived it", token_of_a_paid_reservation),
    ("6 a payment token that is not its own reservation's, or outlived it", token_of_another_reservation),
]


def test_consistent_stores_have_no_violations(stores: ConsistentStores) -> None:
    assert stores.found() == set()
    rows = {row["id"]: row["status"] for row in stores.world.reservation_rows()}
    assert [rows[each] for each in (stores.bought, stores.cancelled, stores.declined, stores.held)] == [
        *("CONFIRMED", "CANCELLED", "CANCELLED", "PENDING")
    ]
    payment = stores.bank[stores.payment_of(stores.cancelled)]
    assert payment.paid > payment.kept > 0, "a fee is kept, and the rest is refunded"
    assert stores.world.now > RUN_STARTS


def test_every_rule_has_a_planted_violation() -> None:
    assert {*PLANTED_IN_POSTGRES, *(rule for rule, _ in PLANTED_ELSEWHERE)} == set(rules())


def test_every_planted_violation_is_found_by_its_rule(stores: ConsistentStores) -> None:
    missed = [rule for rule, sql in PLANTED_IN_POSTGRES.items() if rule not in stores.found(sql)]
    for rule, plant in PLANTED_ELSEWHERE:
        with stores.restored():
            plant(stores)
            if rule not in stores.found():
                missed.append(rule)
    assert missed == []
    assert stores.found() == set(), "a planted violation was not removed"
