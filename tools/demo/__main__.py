"""Buys a ticket from the running stack and prints each step with its time.

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

from tools.demo.buyer import Api, ApiError, Buyer, eventually
from tools.demo.door import check

console = Console(highlight=False)
StepT = TypeVar("StepT")


def step(title: str, do: Callable[[], StepT], outcome: Callable[[StepT], str] = lambda _: "") -> StepT:
    began = time.perf_counter()
    result = do()
    took = (time.perf_counter() - began) * 1000
    console.print(f"[dim]{took:7.0f} ms[/]  {title:<46} {outcome(result)}", soft_wrap=True)
    return result


def buy(api_url: str, sandbox_url: str) -> None:
    buyer, public = Buyer(api_url, sandbox_url), Api(api_url)
    step("register: captcha, identity, agreements", buyer.register, lambda made: str(made["email"]))
    step("log in", buyer.login)
    event = step(
        "list the events on sale",
        lambda: public("GET", "/events", params={"status": "ONGOING", "size": 1})["items"][0],
        lambda event: event["title"],
    )
    event_id = event["id"]
    step("enter the waiting room", lambda: buyer.enter(event_id), _place)
    step(
        "wait for admission, ten buyers a second",
        lambda: buyer.wait_for_admission(event_id),
        lambda _: "reservation token",
    )
    taken = step("read the seat map", lambda: buyer.seat_map(event_id), _seats)
    free = free_seats(public("GET", f"/events/{event_id}/seats"), taken)
    held = step("hold two seats for five minutes", lambda: hold_two(buyer, event_id, free), _held)
    seats = [seat["id"] for seat in held["seats"]]
    payment = step(
        "create the payment, send amount to PortOne",
        lambda: buyer.create_payment(held["reservationId"]),
        lambda made: f"{made['amount']:,} won",
    )
    paid = step("authorise the payment in PortOne's window", lambda: buyer.pay(payment["paymentId"], "AUTHORIZED"))
    step(
        "confirm: check the hold, take the money",
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
        lambda: eventually(lambda: seat_statuses(public, event_id, seats), lambda found: found == {"SOLD"}),
    )
    keys = public("GET", "/.well-known/ticket-keys.json")
    step(
        "check the ticket offline, with the public key",
        lambda: check(keys, ticket["ticket"]["qr"]),
        lambda found: f"valid: {', '.join(found['seats'])}",
    )
    numbers = ", ".join(seat["number"] for seat in ticket["seats"])
    console.print(f"\n  [bold]{event['title']}[/], {ticket['eventStartsAt']}")
    console.print(f"  seats {numbers}, ticket {ticket['ticket']['number']}")
    console.print(f"  [dim]{ticket['ticket']['qr']}[/]", soft_wrap=True)


def free_seats(listed: dict[str, Any], live: dict[str, Any]) -> list[str]:
    """The ids of the free seats, in the order of the list."""
    taken = {*live["held"], *live["sold"]}
    return [seat["id"] for grade in listed["grades"] for seat in grade["seats"] if seat["id"] not in taken]


def hold_two(buyer: Buyer, event_id: str, free: list[str]) -> dict[str, Any]:
    """Hold two of the free seats. Tries others if another buyer was faster."""
    while True:
        try:
            return buyer.hold(event_id, free[:2])
        except ApiError as error:
            if error.code != "SEAT_TAKEN":
                raise
            free = [seat for seat in free if seat not in error.body["details"]["seatIds"]]


def seat_statuses(public: Api, event_id: str, seats: list[str]) -> set[str]:
    listed = public("GET", f"/events/{event_id}/seats")
    return {seat["status"] for grade in listed["grades"] for seat in grade["seats"] if seat["id"] in seats}


def _place(place: dict[str, Any]) -> str:
    return f"place {place['position']}, about {place['estimatedWaitSeconds']} s" if "position" in place else "admitted"


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
        sys.exit("No stack is running here: start it with `make up`.")
    except (ApiError, TimeoutError) as error:
        sys.exit(f"Stopped: {error}. `make logs` shows what happened.")


if __name__ == "__main__":
    main()
