"""What a buyer, and PortOne for them, can do with one purchase, and the pairs of it that happen at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from common.domain.ids import EventId
from tools.simulation.model.exchanges import Fault
from tools.simulation.model.world import World

STAGES = ("admitted", "held", "created", "authorized", "paid", "confirmed")


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

    def __str__(self) -> str:
        return f"{self.stage}: {self.first} + {self.second}"


PAIRS = (
    Pair("admitted", "hold", "hold"),
    Pair("admitted", "hold", "hold other seats"),
    Pair("held", "hold", "change"),
    Pair("held", "change", "change to other seats"),
    Pair("held", "change", "release"),
    Pair("held", "change", "create"),
    Pair("held", "create", "create"),
    Pair("held", "create", "create with another key"),
    Pair("held", "create", "release"),
    Pair("created", "create with another key", "create with another key"),
    Pair("created", "create with another key", "PAID"),
    Pair("authorized", "confirm", "confirm"),
    Pair("authorized", "confirm", "release"),
    Pair("authorized", "confirm", "create with another key"),
    Pair("authorized", "confirm", "FAILED"),
    Pair("paid", "confirm", "webhooks"),
    Pair("paid", "webhooks", "webhooks"),
    Pair("paid", "webhooks", "release"),
    Pair("confirmed", "cancel", "cancel"),
)


def act(world: World, action: str, purchase: Purchase, fault: Fault | None = None) -> None:
    """Nothing happens if the purchase has not come so far."""
    reservation, payment = purchase.reservation, purchase.payment
    match action:
        case "hold":
            world.hold(purchase.user, purchase.event_id, purchase.seats, fault)
        case "hold other seats":
            world.hold(purchase.user, purchase.event_id, _other_seats(world, purchase), fault)
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
    made = world.create_payment(reservation, f"{reservation}-0")
    if made.status != 201:
        return None
    payment = UUID(made.body["paymentId"])
    if stage != "created":
        world.pay(payment, "PAID" if stage == "paid" else "AUTHORIZED")
    if stage == "confirmed":
        world.confirm(payment, approve=True)
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
