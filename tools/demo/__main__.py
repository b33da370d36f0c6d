"""Buys a ticket from the running stack and tells each step with its time.

make demo          python -m tools.demo [.local]
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
from rich.console import Console

from tools.demo.buyer import Api, Buyer, Refused, eventually
from tools.demo.door import check

console = Console(highlight=False)
StepT = TypeVar("StepT")


def step(told: str, do: Callable[[], StepT], outcome: Callable[[StepT], str] = lambda _: "") -> StepT:
    began = time.perf_counter()
    result = do()
    took = (time.perf_counter() - began) * 1000
    console.print(f"[dim]{took:7.0f} ms[/]  {told:<46} {outcome(result)}", soft_wrap=True)
    return result


def buy(api_url: str, sandbox_url: str) -> None:
    buyer, public = Buyer(api_url, sandbox_url), Api(api_url)
    step("register: captcha, identity, agreements", buyer.register, lambda made: str(made["email"]))
    step("log in", buyer.login)
    event = step(
        "look at what is on sale",
        lambda: public("GET", "/events", params={"status": "ONGOING", "size": 1})["items"][0],
        lambda event: event["title"],
    )
    event_id = event["id"]
    step("enter the waiting room", lambda: buyer.enter(event_id), _place)
    step("wait to be let in, ten a second", lambda: buyer.wait_for_admission(event_id), lambda _: "a qr_ token")
    taken = step("look at the live seat map", lambda: buyer.seat_map(event_id), _seats)
    free = free_seats(public("GET", f"/events/{event_id}/seats"), taken)
    held = step("hold two seats for five minutes", lambda: hold_two(buyer, event_id, free), _held)
    seats = [seat["id"] for seat in held["seats"]]
    payment = step(
        "create the payment, amount told to PortOne",
        lambda: buyer.create_payment(held["reservationId"]),
        lambda made: f"{made['amount']:,} won",
    )
    paid = step("the buyer authorises it in PortOne's window", lambda: buyer.pay(payment["paymentId"], "AUTHORIZED"))
    step(
        "confirm: hold checked again, money moves",
        lambda: buyer.confirm(payment["paymentId"], paid["paymentToken"]),
        lambda confirmed: confirmed["status"],
    )
    ticket = step(
        "PaymentSuccess → outbox → Kafka → CONFIRMED",
        lambda: buyer.wait_for_status(held["reservationId"], "CONFIRMED"),
        lambda found: f"ticket {found['ticket']['number']}",
    )
    step(
        "ReservationConfirmed → Kafka → seats SOLD",
        lambda: eventually(lambda: statuses(public, event_id, seats), lambda found: found == {"SOLD"}),
    )
    keys = public("GET", "/.well-known/ticket-keys.json")
    step(
        "at the door, offline, with the published key",
        lambda: check(keys, ticket["ticket"]["qr"]),
        lambda found: f"genuine: {', '.join(found['seats'])}",
    )
    numbers = ", ".join(seat["number"] for seat in ticket["seats"])
    console.print(f"\n  [bold]{event['title']}[/], {ticket['eventStartsAt']}")
    console.print(f"  seats {numbers}, ticket {ticket['ticket']['number']}")
    console.print(f"  [dim]{ticket['ticket']['qr']}[/]", soft_wrap=True)


def free_seats(listed: dict[str, Any], live: dict[str, Any]) -> list[str]:
    """The ids of the free seats, in the order listed."""
    taken = {*live["held"], *live["sold"]}
    return [seat["id"] for grade in listed["grades"] for seat in grade["seats"] if seat["id"] not in taken]


def hold_two(buyer: Buyer, event_id: str, free: list[str]) -> dict[str, Any]:
    """Two of the free seats; others than those somebody was quicker to take."""
    while True:
        try:
            return buyer.hold(event_id, free[:2])
        except Refused as refused:
            if refused.code != "SEAT_TAKEN":
                raise
            free = [seat for seat in free if seat not in refused.body["details"]["seatIds"]]


def statuses(public: Api, event_id: str, seats: list[str]) -> set[str]:
    listed = public("GET", f"/events/{event_id}/seats")
    return {seat["status"] for grade in listed["grades"] for seat in grade["seats"] if seat["id"] in seats}


def _place(place: dict[str, Any]) -> str:
    return f"place {place['position']}, about {place['estimatedWaitSeconds']} s" if "position" in place else "let in"


def _seats(live: dict[str, Any]) -> str:
    seats = live["seats"]
    return f"{seats['available']} of {seats['total']} free"


def _held(held: dict[str, Any]) -> str:
    return f"{', '.join(seat['number'] for seat in held['seats'])} until {held['holdExpiresAt'][11:19]}"


def main() -> None:
    state = Path(sys.argv[1] if len(sys.argv) > 1 else ".local") / "stack.json"
    try:
        urls = json.loads(state.read_text(encoding="utf-8"))
        buy(urls["api"], urls["sandbox"])
    except (FileNotFoundError, NotADirectoryError, httpx.ConnectError):
        sys.exit("Nothing runs here yet: `make up` first.")
    except (Refused, TimeoutError) as stopped:
        sys.exit(f"Stopped: {stopped}. `make logs` shows what happened.")


if __name__ == "__main__":
    main()
