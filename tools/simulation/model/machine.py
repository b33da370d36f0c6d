"""The operations of the world. hypothesis runs them in any order and number, and searches for a violation."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from common.domain.ids import EventId, SeatId
from tools.simulation.model.actions import PAIRS, STAGES, Pair, Purchase, act, both, come_to
from tools.simulation.model.exchanges import Fault, Kind
from tools.simulation.model.world import USERS, Stores, World

MEANWHILE = (
    *("400 s pass", "expiry", "settling", "messages", "webhooks", "release", "cancellation", "payment"),
    *(
        "confirmation",
        "late confirmation",
        "another hold",
        "event cancelled",
        "Redis loses all data",
        "Postgres ends all connections",
    ),
)
FEW, SEVERAL = st.integers(0, 5), st.integers(0, 30)
EARLY = st.sampled_from([*range(12), *range(26)])  # the longest operations have about thirty exchanges
BUYERS = st.sampled_from(
    [
        *("hold", "hold", "hold", "change", "release", "cancel", "cancel", "create", "create"),
        *("create with another key", "AUTHORIZED", "PAID", "PAID", "PAID, a wrong amount", "FAILED"),
        *("confirm", "confirm without approval"),
    ]
)
ANY_ACTION = st.sampled_from(
    [
        *("hold", "hold other seats", "read", "change", "change to other seats", "release", "cancel"),
        *("create", "create with another key", "FAILED", "PAID", "confirm", "confirm without approval", "webhooks"),
        *("pay again and confirm", "holds end", "messages", "settle", "event cancelled"),
    ]
)
AT_ONCE = st.one_of(st.sampled_from(PAIRS), st.builds(Pair, st.sampled_from(STAGES), ANY_ACTION, ANY_ACTION))
LENGTHS = st.lists(st.integers(0, 12), max_size=6)  # of the turns of two operations at once
FAULTS_BETWEEN_OPERATIONS = st.sampled_from(
    [
        *(f"the clock moves {seconds} s" for seconds in (20, 65, 65, 170, 301, 301, 345, 1800, -45)),
        *("Redis loses all data", "Redis loses a key", "Redis loses a key", "Postgres ends all connections"),
        *("PortOne rejects all requests", "PortOne acts without a response", *["PortOne works again"] * 4),
        *("Kafka stops or recovers", "the event is cancelled", "a day passes"),
        *("a message is not understood", "dead letters are redriven"),
    ]
)
FAULTS = st.one_of(
    st.none(),
    st.none(),
    st.builds(Fault, st.sampled_from([kind for kind in Kind if kind is not Kind.MEANWHILE]), EARLY),
    st.builds(Fault, st.just(Kind.MEANWHILE), EARLY, st.sampled_from(MEANWHILE)),
)
SIGNATURES = st.sampled_from(
    [*["signed"] * 6, "signed by the old secret", "signed by a wrong secret", "changed", "replayed late"]
)


def machine(stores: Stores) -> type[RuleBasedStateMachine]:
    """The state machine on these stores. Only one run uses them at a time."""

    class Purchases(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.world = World(stores)
            self.world.open()
            self.failed = False

        def _step(self, do: Callable[[], Any]) -> None:
            stores.stats.steps += 1
            try:
                do()
            except BaseException:
                self.failed = True
                raise

        def _reservation(self, which: int) -> UUID | None:
            rows = self.world.reservation_rows()
            return rows[-1 - which % len(rows)]["id"] if rows else None  # 0 is the newest

        def _payment(self, which: int) -> UUID | None:
            rows = self.world.payment_rows()
            return rows[-1 - which % len(rows)]["id"] if rows else None

        def _seats(self, event: int, mask: int) -> tuple[EventId, list[SeatId]]:
            event_id = self.world.event_ids[event]
            return event_id, [seat for at, seat in enumerate(self.world.seat_ids[event_id]) if mask >> at & 1]

        # Few rules with many choices: of many rules, hypothesis would leave out a random half in each run.

        @rule(action=BUYERS, user=st.integers(0, 4), which=FEW, mask=st.integers(1, 15), fault=FAULTS)
        def a_buyer_acts(self, action: str, user: int, which: int, mask: int, fault: Fault | None) -> None:
            event_id, seats = self._seats(user // 3, mask)
            purchase = Purchase(USERS[user], event_id, seats, self._reservation(which), self._payment(which))
            self._step(lambda: act(self.world, action, purchase, fault))

        @rule(pair=AT_ONCE, user=st.integers(0, 4), mask=st.integers(1, 15), lengths=LENGTHS, one=FAULTS, two=FAULTS)
        def a_buyer_does_two_things_at_once(
            self, pair: Pair, user: int, mask: int, lengths: list[int], one: Fault | None, two: Fault | None
        ) -> None:
            def at_once() -> None:
                wanted = Purchase(USERS[user], *self._seats(user // 3, mask))
                purchase = come_to(self.world, pair.stage, wanted)
                if purchase is not None:
                    both(self.world, pair, purchase, lengths, (one, two))

            self._step(at_once)

        @rule(user=st.integers(0, 4), seat=st.integers(0, 3), early=FAULTS, late=FAULTS)
        def a_buyer_buys(self, user: int, seat: int, early: Fault | None, late: Fault | None) -> None:
            """A complete purchase, since few runs get so far by single steps."""

            def purchase() -> None:
                held = self.world.hold(USERS[user], *self._seats(user // 3, 1 << seat))
                if held.status != 201:
                    return
                made = self.world.create_payment(UUID(held.body["reservationId"]), held.body["reservationId"], early)
                if made.status in (200, 201):
                    payment = UUID(made.body["paymentId"])
                    self.world.pay(payment, "AUTHORIZED")
                    self.world.confirm(payment, approve=True, fault=late)

            self._step(purchase)

        @precondition(lambda self: self.world.stores.portone.webhooks)
        @rule(which=SEVERAL, how=SIGNATURES, fault=FAULTS)
        def portone_sends_a_webhook(self, which: int, how: str, fault: Fault | None) -> None:
            sent = len(self.world.stores.portone.webhooks)
            self._step(lambda: self.world.webhook(sent - 1 - which % sent, how, fault))

        @rule(what=st.sampled_from(["expire", "settle", "settle", "reconcile", "publish"]), fault=FAULTS)
        def the_schedule_runs(self, what: str, fault: Fault | None) -> None:
            self._step(lambda: getattr(self.world, what)(fault))

        @rule(which=SEVERAL, most=st.integers(1, 5), fault=FAULTS)
        def a_message_is_delivered(self, which: int, most: int, fault: Fault | None) -> None:
            def one() -> None:
                self.world.publish()
                positions = self.world.unread()
                if positions:
                    self.world.deliver(positions[which % len(positions)], most, fault)

            self._step(one)

        @precondition(lambda self: self.world.read())
        @rule(which=SEVERAL, by=st.integers(1, 5), fault=FAULTS)
        def messages_are_delivered_again(self, which: int, by: int, fault: Fault | None) -> None:
            def again() -> None:
                positions = self.world.read()
                position = positions[which % len(positions)]
                self.world.rewind(position, by)
                self.world.deliver(position, by, fault)

            self._step(again)

        @rule(what=FAULTS_BETWEEN_OPERATIONS, which=SEVERAL)
        def a_fault_occurs(self, what: str, which: int) -> None:
            stores.stats.faults[what] += 1
            self._step(lambda: self._apply_fault(what, which))

        def _apply_fault(self, what: str, which: int) -> None:
            world = self.world
            if what.startswith("the clock moves"):
                world.later(int(what.split()[-2]))
                return
            match what:
                case "Redis loses all data":
                    world.lose_redis_data()
                case "Redis loses a key":
                    world.lose_redis_data(which)
                case "Postgres ends all connections":
                    world.end_postgres_connections()
                case "PortOne works again":
                    world.portone("none")
                case "PortOne rejects all requests":
                    world.portone("error")
                case "PortOne acts without a response":
                    world.portone("timeout")
                case "Kafka stops or recovers":
                    world.broker.unavailable = not world.broker.unavailable
                case "the event is cancelled":
                    world.cancel_event(world.event_ids[which % 2])
                case "a message is not understood":
                    world.publish()
                    if positions := world.unread():
                        world.dead_letter(positions[which % len(positions)])
                case "dead letters are redriven":
                    world.redrive()
                case "a day passes":
                    self._check()
                    world.next_day()

        # -- invariants --------------------------------------------------------------------------------------------

        @invariant()
        def no_seat_is_in_two_live_reservations(self) -> None:
            assert not self.world.seats_reserved_twice()

        def _check(self) -> None:
            self.world.finish_pending_work()
            found = self.world.violations()
            stores.stats.violations += len(found)
            assert not found, "\n".join(map(str, found))

        def teardown(self) -> None:
            try:
                if not self.failed:
                    self._check()
                    self.world.count()
            finally:
                self.world.close()

    return Purchases
