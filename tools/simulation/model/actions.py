"""What a buyer, and PortOne for them, can do with one purchase, and the pairs of it that happen at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from common.domain.ids import EventId
from tools.simulation.model.exchanges import Fault
from tools.simulation.model.world import HOLD, World

# How far a purchase has come. "not started": PortOne rejected the payment; "declined": the buyer's first card failed.
# "recorded": the payment succeeded, and its message is under way.
STAGES = ("admitted", "held", "not started", "created", "declined", "authorized", "paid", "recorded", "confirmed")


@dataclass(frozen=True)
class Purchase:
    """What an action is about. `seats` are those that the buyer wants next."""

    user: UUID
    event_id: EventId
    seats: Sequence[UUID]
    reservation: UUID | None = None
    payment: UUID | None = None


@dataclass(frozen=True)
class Pair:
    """Two actions of one buyer at once, when their purchase has come to `stage`."""

    stage: str
    first: str
    second: str
    free: bool = False  # of seats that cost nothing

    def __str__(self) -> str:
        return f"{self.stage}{' for free' if self.free else ''}: {self.first} + {self.second}"


PAIRS = (
    Pair("admitted", "hold", "hold"),
    Pair("admitted", "hold", "hold other seats"),
    Pair("held", "hold", "change"),
    Pair("held", "hold", "release"),
    Pair("held", "read", "release"),
    Pair("created", "read", "confirm"),
    Pair("held", "change", "change to other seats"),
    Pair("held", "change", "release"),
    Pair("held", "change", "create"),
    Pair("held", "create", "create"),
    Pair("held", "create", "create with another key"),
    Pair("held", "create", "release"),
    Pair("held", "create", "create with another key", free=True),
    Pair("held", "create", "release", free=True),
    Pair("not started", "create with another key", "change"),
    Pair("not started", "create", "create with another key"),
    Pair("not started", "create with another key", "release"),
    Pair("declined", "pay again and confirm", "release"),
    Pair("declined", "pay again and confirm", "webhooks"),
    Pair("declined", "pay again and confirm", "holds end"),
    Pair("created", "create with another key", "create with another key"),
    Pair("created", "create with another key", "PAID"),
    Pair("authorized", "confirm", "confirm"),
    Pair("authorized", "confirm", "release"),
    Pair("authorized", "confirm", "create with another key"),
    Pair("authorized", "confirm", "FAILED"),
    Pair("paid", "confirm", "webhooks"),
    Pair("paid", "webhooks", "webhooks"),
    Pair("paid", "webhooks", "release"),
    Pair("paid", "webhooks", "holds end"),
    Pair("recorded", "messages", "release"),
    Pair("recorded", "messages", "cancel"),
    Pair("recorded", "messages", "holds end"),
    Pair("recorded", "messages", "event cancelled"),
    Pair("admitted", "hold", "withdraw"),
    Pair("held", "create", "withdraw and cancel"),
    Pair("authorized", "confirm", "withdraw and cancel"),
    Pair("recorded", "messages", "withdraw and cancel"),
    Pair("confirmed", "cancel", "withdraw"),
    Pair("confirmed", "cancel", "cancel"),
    Pair("confirmed", "cancel", "event cancelled"),
)


def act(world: World, action: str, purchase: Purchase, fault: Fault | None = None) -> None:
    """Nothing happens if the purchase has not come so far."""
    reservation, payment = purchase.reservation, purchase.payment
    match action:
        case "hold":
            world.hold(purchase.user, purchase.event_id, purchase.seats, fault)
        case "hold other seats":
            world.hold(purchase.user, purchase.event_id, _other_seats(world, purchase), fault)
        case "read" if reservation:
            world.read_own(reservation, fault)
        case "change" if reservation:
            world.change(reservation, purchase.seats, fault)
        case "change to other seats" if reservation:
            world.change(reservation, _other_seats(world, purchase), fault)
        case "release" if reservation:
            world.release(reservation, fault)
        case "cancel" if reservation:
            world.cancel(reservation, fault)
        case "create" | "create with another key" if reservation:
            world.create_payment(reservation, f"{reservation}-{int(action != 'create')}", fault)
        case "confirm" | "confirm without approval" if payment:
            world.confirm(payment, approve=action == "confirm", fault=fault)
        case "AUTHORIZED" | "PAID" | "FAILED" if payment:
            world.pay(payment, action)
        case "PAID, a wrong amount" if payment:
            world.pay(payment, "PAID", 1)
        case "pay again and confirm" if payment:
            world.pay(payment, "AUTHORIZED")
            world.confirm(payment, approve=True, fault=fault)
        case "withdraw" | "withdraw and cancel":
            world.withdraw(purchase.user, cancel=action != "withdraw", fault=fault)
        case "holds end":
            world.pass_time(HOLD + 1)
            world.expire(fault)
        case "messages":
            world.publish()
            for position in world.unread():
                world.deliver(position, 10, fault)
        case "settle":
            world.settle(fault)
        case "event cancelled":
            world.cancel_event(purchase.event_id, fault)
            world.publish()
            world.deliver_all(until_empty=False)
            world.expire()
        case "webhooks" if payment:
            world.webhooks_of(payment, fault)
        case _:
            pass


def come_to(world: World, stage: str, purchase: Purchase) -> Purchase | None:
    """The purchase at this stage; None if the seats cannot be had."""
    if stage == "admitted":
        return purchase
    held = world.hold(purchase.user, purchase.event_id, purchase.seats)
    if held.status != 201:
        return None
    reservation = UUID(held.body["reservationId"])
    purchase = replace(purchase, reservation=reservation)
    if stage == "held":
        return purchase
    if stage == "not started":
        world.portone("error")
    made = world.create_payment(reservation, f"{reservation}-0")
    if stage == "not started":
        world.portone("none")
        payment = next((row["id"] for row in world.payment_rows() if row["reservation_id"] == reservation), None)
        return replace(purchase, payment=payment)
    if made.status != 201:
        return None
    payment = UUID(made.body["paymentId"])
    match stage:
        case "declined":
            world.pay(payment, "FAILED")
        case "paid":
            world.pay(payment, "PAID")
        case "authorized" | "recorded" | "confirmed":
            world.pay(payment, "AUTHORIZED")
    if stage in ("recorded", "confirmed"):
        world.confirm(payment, approve=True)
    if stage == "confirmed":
        world.publish()
        world.deliver_all(until_empty=False)
    return replace(purchase, payment=payment)


def both(
    world: World, pair: Pair, purchase: Purchase, lengths: Sequence[int], faults: Sequence[Fault | None] = (None, None)
) -> int:
    """Both actions at once, interleaved as `take_turns` says. How many exchanges the first one made."""
    first, _ = world.at_once(
        lambda: act(world, pair.first, purchase, faults[0]),
        lambda: act(world, pair.second, purchase, faults[1]),
        lengths,
    )
    return first.exchanges


def _other_seats(world: World, purchase: Purchase) -> Sequence[UUID]:
    """As many as it wants, but the last first."""
    return world.seat_ids[purchase.event_id][::-1][: len(purchase.seats)]
