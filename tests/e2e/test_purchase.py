"""The purchase over HTTP, and its failures. Works against any deployment of the API."""

import base64
import json
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest

from tests.e2e.event_on_sale import put_on_sale, rfc3339
from tools.demo.__main__ import free_seats, seat_statuses
from tools.demo.buyer import Api, ApiError, Buyer, eventually
from tools.demo.door import check

pytestmark = pytest.mark.e2e

NewBuyer = Callable[[], Buyer]


@pytest.fixture
def event(admin: Api) -> dict[str, Any]:
    return put_on_sale(admin)


def seats_of(public: Api, event_id: str) -> list[dict[str, Any]]:
    listed = public("GET", f"/events/{event_id}/seats")
    return [seat for grade in listed["grades"] for seat in grade["seats"]]


def enter_and_hold(buyer: Buyer, event_id: str, seat_ids: list[str]) -> dict[str, Any]:
    buyer.enter(event_id)
    buyer.wait_for_admission(event_id)
    return buyer.hold(event_id, seat_ids)


def rejection(call: Callable[[], object]) -> ApiError:
    with pytest.raises(ApiError) as error:
        call()
    body = error.value.body
    assert {"code", "message", "timestamp", "traceId"} <= body.keys()
    assert UUID(body["traceId"])
    assert datetime.fromisoformat(body["timestamp"])
    return error.value


def test_a_ticket_is_bought_from_registration_to_the_signed_qr(
    public: Api, new_buyer: NewBuyer, event: dict[str, Any]
) -> None:
    event_id = event["id"]
    assert event_id in [each["id"] for each in public("GET", "/events", params={"size": 100})["items"]]
    assert public("GET", f"/events/{event_id}")["remaining"] == {"VIP": 8}
    assert [seat["number"] for seat in seats_of(public, event_id)][:5] == ["A-1-1", "A-1-2", "A-1-3", "A-1-4", "A-2-1"]

    buyer = new_buyer()
    place = buyer.enter(event_id)
    assert place["status"] in ("WAITING", "ADMITTED")
    buyer.wait_for_admission(event_id)
    live = buyer.seat_map(event_id)
    assert live["seats"] == {"total": 8, "available": 8, "held": 0, "sold": 0}
    seats = free_seats(public("GET", f"/events/{event_id}/seats"), live)[:2]

    held = buyer.hold(event_id, seats)
    assert (held["status"], held["totalAmount"]) == ("PENDING", 300_000)
    assert sorted(buyer.seat_map(event_id)["held"]) == sorted(seats)

    payment = buyer.create_payment(held["reservationId"])
    assert (payment["status"], payment["amount"]) == ("PENDING", 300_000)
    token = buyer.pay(payment["paymentId"], "AUTHORIZED")["paymentToken"]
    assert buyer.sandbox("GET", f"/sandbox/payments/{payment['paymentId']}")["paidAmount"] == 0
    confirmed = buyer.confirm(payment["paymentId"], token)
    assert confirmed["status"] == "SUCCESS"
    assert buyer.confirm(payment["paymentId"], token) == confirmed

    found = buyer.wait_for_status(held["reservationId"], "CONFIRMED")
    assert found["paymentId"] == payment["paymentId"]
    keys, ticket = public("GET", "/.well-known/ticket-keys.json"), found["ticket"]
    claims = check(keys, ticket["qr"])
    assert claims["num"] == ticket["number"]
    assert not any("d" in key for key in keys["keys"]), "a private key was published"
    header, _, signature = ticket["qr"].split(".")
    other = base64.urlsafe_b64encode(json.dumps({**claims, "seats": ["A-1-1"]}).encode()).decode().rstrip("=")
    with pytest.raises(jwt.InvalidSignatureError):
        check(keys, f"{header}.{other}.{signature}")
    eventually(lambda: seat_statuses(public, event_id, seats), lambda found: found == {"SOLD"})
    assert public("GET", f"/events/{event_id}")["remaining"] == {"VIP": 6}
    assert buyer.sandbox("GET", f"/sandbox/payments/{payment['paymentId']}")["paidAmount"] == 300_000
    assert [each["id"] for each in buyer.api("GET", "/reservations", params={"status": "CONFIRMED"})["items"]] == [
        found["id"]
    ]
    assert buyer.api("GET", f"/payments/{payment['paymentId']}")["status"] == "SUCCESS"
    # The purchase is complete: its tokens no longer work.
    assert rejection(lambda: buyer.seat_map(event_id)).code == "QUEUE_TOKEN_INVALID"
    assert rejection(lambda: buyer.create_payment(held["reservationId"])).code == "QUEUE_TOKEN_INVALID"


def test_a_declined_buyer_can_pay_with_another_card_or_give_the_seats_up(
    public: Api, new_buyer: NewBuyer, event: dict[str, Any]
) -> None:
    event_id = event["id"]
    seats = [seat["id"] for seat in seats_of(public, event_id)][:2]
    first, second = new_buyer(), new_buyer()
    held = enter_and_hold(first, event_id, seats)
    payment = first.create_payment(held["reservationId"])
    first.pay(payment["paymentId"], "FAILED")
    error = rejection(lambda: first.confirm(payment["paymentId"]))
    assert (error.status, error.code) == (402, "PAYMENT_FAILED")
    assert error.body["details"]["retryUntil"] >= held["holdExpiresAt"]
    assert first.create_payment(held["reservationId"]) == payment
    first.api("DELETE", f"/reservations/hold/{held['reservationId']}")
    ended = eventually(
        lambda: first.api("GET", f"/payments/{payment['paymentId']}"), lambda found: found["status"] == "FAILED"
    )
    assert ended["failureReason"] == "USER_REQUEST"

    second_held = enter_and_hold(second, event_id, seats)
    payment = second.create_payment(second_held["reservationId"])
    second.pay(payment["paymentId"], "FAILED")
    assert rejection(lambda: second.confirm(payment["paymentId"])).code == "PAYMENT_FAILED"
    token = second.pay(payment["paymentId"], "AUTHORIZED")["paymentToken"]
    assert second.confirm(payment["paymentId"], token)["status"] == "SUCCESS"
    second.wait_for_status(second_held["reservationId"], "CONFIRMED")


def test_a_payment_approved_at_once_is_verified_without_a_token(
    public: Api, new_buyer: NewBuyer, event: dict[str, Any]
) -> None:
    buyer = new_buyer()
    held = enter_and_hold(buyer, event["id"], [seats_of(public, event["id"])[0]["id"]])
    payment = buyer.create_payment(held["reservationId"])
    buyer.pay(payment["paymentId"], "PAID")
    # By confirm or by PortOne's webhook, whichever is first.
    assert buyer.confirm(payment["paymentId"])["status"] == "SUCCESS"
    buyer.wait_for_status(held["reservationId"], "CONFIRMED")


def test_the_webhook_alone_completes_a_purchase_whose_buyer_closed_the_tab(
    public: Api, new_buyer: NewBuyer, event: dict[str, Any]
) -> None:
    buyer = new_buyer()
    held = enter_and_hold(buyer, event["id"], [seats_of(public, event["id"])[0]["id"]])
    payment = buyer.create_payment(held["reservationId"])
    buyer.pay(payment["paymentId"], "PAID")
    buyer.wait_for_status(held["reservationId"], "CONFIRMED")


def test_a_confirmation_killed_during_the_charge_is_paid_once_and_gives_a_ticket(
    public: Api, new_buyer: NewBuyer, event: dict[str, Any], stack: dict[str, Any]
) -> None:
    if "admin" not in stack or os.environ.get("E2E_STACK"):
        pytest.skip("only our emulator's functions are processes that can be killed")
    buyer = new_buyer()
    held = enter_and_hold(buyer, event["id"], [seats_of(public, event["id"])[0]["id"]])
    payment = buyer.create_payment(held["reservationId"])
    token = buyer.pay(payment["paymentId"], "AUTHORIZED")["paymentToken"]

    def charged() -> int:
        at_gateway = buyer.sandbox("GET", f"/sandbox/payments/{payment['paymentId']}")
        return int(at_gateway["paidAmount"]) - int(at_gateway["cancelledAmount"])

    def confirm_once() -> httpx.Response:  # `buyer.confirm` would retry
        body = {"paymentId": payment["paymentId"], "portonePaymentToken": token}
        return buyer.api.client.post(
            "/payments/confirm", json=body, headers={"X-Queue-Token": buyer.payment_token}, timeout=30
        )

    buyer.sandbox("PUT", "/sandbox/faults", {"mode": "slow", "latencyMs": 8000})
    try:
        with ThreadPoolExecutor(1) as pool:
            confirming = pool.submit(confirm_once)
            eventually(charged, lambda amount: amount == 150_000)  # and the answer is still delayed
            status = httpx.get(f"{stack['admin']}/status", timeout=10).json()
            (environment,) = status["functions"]["PaymentsConfirmFunction"]["pids"]
            os.kill(environment, signal.SIGKILL)
            lost = confirming.result()
            assert (lost.status_code, lost.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
            assert lost.headers["retry-after"] == "1"
    finally:
        buyer.sandbox("PUT", "/sandbox/faults", {"mode": "none"})
    assert buyer.confirm(payment["paymentId"], token)["status"] == "SUCCESS"
    buyer.wait_for_status(held["reservationId"], "CONFIRMED")
    assert charged() == 150_000


def test_only_one_of_many_buyers_gets_a_seat(public: Api, new_buyer: NewBuyer, event: dict[str, Any]) -> None:
    seat = seats_of(public, event["id"])[0]["id"]
    buyers = [new_buyer() for _ in range(6)]
    for buyer in buyers:
        buyer.enter(event["id"])
    for buyer in buyers:
        buyer.wait_for_admission(event["id"])

    def outcome(buyer: Buyer) -> str:
        try:
            return str(buyer.hold(event["id"], [seat])["status"])
        except ApiError as error:
            return error.code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(outcome, buyers)) == ["PENDING", *["SEAT_TAKEN"] * 5]


def test_no_seat_is_held_without_an_admission(public: Api, new_buyer: NewBuyer, event: dict[str, Any]) -> None:
    buyer, attacker = new_buyer(), new_buyer()
    seat = seats_of(public, event["id"])[0]["id"]
    buyer.enter(event["id"])
    buyer.wait_for_admission(event["id"])
    assert rejection(lambda: attacker.hold(event["id"], [seat])).code == "QUEUE_TOKEN_MISSING"
    attacker.queue_token = "qr_made-up"
    assert rejection(lambda: attacker.hold(event["id"], [seat])).code == "QUEUE_TOKEN_INVALID"
    attacker.queue_token = buyer.queue_token
    stolen = rejection(lambda: attacker.hold(event["id"], [seat]))
    assert (stolen.status, stolen.code) == (403, "QUEUE_TOKEN_MISMATCH")
    held = buyer.hold(event["id"], [seat])
    attacker.payment_token = buyer.payment_token
    assert rejection(lambda: attacker.create_payment(held["reservationId"])).status == 404
    assert rejection(lambda: attacker.reservation(held["reservationId"])).status == 404
    assert rejection(lambda: attacker.api("DELETE", f"/reservations/hold/{held['reservationId']}")).status == 404


def test_the_seats_of_a_released_hold_are_free_for_the_next_buyer(
    public: Api, new_buyer: NewBuyer, event: dict[str, Any]
) -> None:
    first, second = new_buyer(), new_buyer()
    seat = seats_of(public, event["id"])[0]["id"]
    held = enter_and_hold(first, event["id"], [seat])
    first.api("DELETE", f"/reservations/hold/{held['reservationId']}")
    assert first.reservation(held["reservationId"])["cancelReason"] == "USER_REQUEST"
    assert enter_and_hold(second, event["id"], [seat])["status"] == "PENDING"


def test_a_repeated_payment_request_returns_the_same_payment(
    public: Api, new_buyer: NewBuyer, event: dict[str, Any]
) -> None:
    buyer = new_buyer()
    held = enter_and_hold(buyer, event["id"], [seats_of(public, event["id"])[0]["id"]])
    key = uuid4().hex
    assert buyer.create_payment(held["reservationId"], key) == buyer.create_payment(held["reservationId"], key)
    with_another_key = buyer.create_payment(held["reservationId"])
    assert with_another_key == buyer.create_payment(held["reservationId"], key)


def test_a_buyer_who_lost_every_answer_resumes_the_purchase(
    public: Api, new_buyer: NewBuyer, event: dict[str, Any]
) -> None:
    buyer = new_buyer()
    seat = seats_of(public, event["id"])[0]["id"]
    held = enter_and_hold(buyer, event["id"], [seat])
    again = buyer.hold(event["id"], [seat])
    assert (again["reservationId"], again["paymentToken"]) == (held["reservationId"], held["paymentToken"])
    assert buyer.reservation(held["reservationId"])["payment"] is None
    lost = buyer.create_payment(held["reservationId"])

    buyer.payment_token = ""
    buyer.login()  # in another browser
    found = buyer.reservation(held["reservationId"])
    buyer.payment_token, payment = found["paymentToken"], found["payment"]
    assert payment == {name: value for name, value in lost.items() if name != "reservationId"}
    buyer.confirm(payment["paymentId"], buyer.pay(payment["paymentId"], "AUTHORIZED")["paymentToken"])
    ticket = buyer.wait_for_status(held["reservationId"], "CONFIRMED")
    assert (ticket["paymentToken"], ticket["payment"]) == (None, None)


def test_leaving_the_queue_gives_up_the_place_and_the_token(new_buyer: NewBuyer, event: dict[str, Any]) -> None:
    buyer = new_buyer()
    buyer.enter(event["id"])
    buyer.wait_for_admission(event["id"])
    buyer.api("DELETE", "/queue/leave", params={"eventId": event["id"]})
    assert rejection(lambda: buyer.seat_map(event["id"])).code == "QUEUE_TOKEN_INVALID"
    left = rejection(lambda: buyer.api("GET", "/queue/status", params={"eventId": event["id"]}))
    assert (left.status, left.code) == (404, "NOT_IN_QUEUE")


def buy(buyer: Buyer, event_id: str, seat_ids: list[str]) -> dict[str, Any]:
    held = enter_and_hold(buyer, event_id, seat_ids)
    payment = buyer.create_payment(held["reservationId"])
    buyer.confirm(payment["paymentId"], buyer.pay(payment["paymentId"], "AUTHORIZED")["paymentToken"])
    return buyer.wait_for_status(held["reservationId"], "CONFIRMED")


def test_a_cancelled_ticket_is_refunded_and_its_seat_free_for_the_next_buyer(
    public: Api, new_buyer: NewBuyer, event: dict[str, Any]
) -> None:
    buyer = new_buyer()
    seat = seats_of(public, event["id"])[0]["id"]
    ticket = buy(buyer, event["id"], [seat])
    eventually(lambda: seat_statuses(public, event["id"], [seat]), lambda found: found == {"SOLD"})
    cancelled = buyer.api("DELETE", f"/reservations/{ticket['id']}")
    assert cancelled == {"id": ticket["id"], "status": "CANCELLED", "refundAmount": 150_000, "fee": 0}
    payment = eventually(
        lambda: buyer.sandbox("GET", f"/sandbox/payments/{ticket['paymentId']}"),
        lambda held: held["cancelledAmount"] == 150_000,
    )
    assert payment["paidAmount"] == 150_000
    refunded = eventually(
        lambda: buyer.api("GET", f"/payments/{ticket['paymentId']}"), lambda each: each["status"] == "REFUNDED"
    )
    assert refunded["refundedAmount"] == 150_000
    eventually(lambda: seat_statuses(public, event["id"], [seat]), lambda found: found == {"AVAILABLE"})
    assert enter_and_hold(new_buyer(), event["id"], [seat])["status"] == "PENDING"


def test_a_hold_can_be_changed_until_the_payment_begins(
    public: Api, new_buyer: NewBuyer, event: dict[str, Any]
) -> None:
    buyer = new_buyer()
    first, second, third = (seat["id"] for seat in seats_of(public, event["id"])[:3])
    held = enter_and_hold(buyer, event["id"], [first])
    path, headers = f"/reservations/hold/{held['reservationId']}", {"X-Queue-Token": buyer.queue_token}
    changed = buyer.api("PUT", path, {"seatIds": [second, third]}, headers=headers)
    assert (changed["totalAmount"], changed["holdExpiresAt"]) == (300_000, held["holdExpiresAt"])
    buyer.payment_token = changed["paymentToken"]
    assert buyer.create_payment(held["reservationId"])["amount"] == 300_000
    late = rejection(lambda: buyer.api("PUT", path, {"seatIds": [first]}, headers=headers))
    assert (late.status, late.code) == (409, "PAYMENT_STARTED")


def test_an_admin_pauses_and_resumes_a_queue(admin: Api, new_buyer: NewBuyer, event: dict[str, Any]) -> None:
    buyer = new_buyer()
    settings = f"/queue/admin/events/{event['id']}"
    assert admin("PUT", settings, {"paused": True})["paused"] is True
    assert buyer.enter(event["id"])["status"] == "WAITING"
    with pytest.raises(TimeoutError):
        buyer.wait_for_admission(event["id"], seconds=2.5)
    (stats,) = admin("GET", "/queue/admin/stats", params={"eventId": event["id"]})["items"]
    assert (stats["waiting"], stats["paused"], stats["admissionPerSecond"]) == (1, True, 10)
    assert rejection(lambda: buyer.api("PUT", settings, {"paused": False})).code == "FORBIDDEN"
    admin("PUT", settings, {"paused": False, "admissionPerSecond": 20})
    buyer.wait_for_admission(event["id"])


def test_the_buyers_of_a_cancelled_event_get_a_full_refund(
    public: Api, admin: Api, new_buyer: NewBuyer, event: dict[str, Any]
) -> None:
    path = f"/events/{event['id']}"
    seats = [seat["id"] for seat in seats_of(public, event["id"])]
    owner, holder = new_buyer(), new_buyer()
    ticket = buy(owner, event["id"], seats[:2])
    held = enter_and_hold(holder, event["id"], seats[2:3])
    assert rejection(lambda: admin("DELETE", path)).code == "EVENT_HAS_RESERVATIONS"
    assert rejection(lambda: owner.api("POST", f"{path}/cancel", {"reason": "mine"})).code == "FORBIDDEN"

    assert admin("POST", f"{path}/cancel", {"reason": "the singer is ill"})["status"] == "CANCELLED"
    assert public("GET", path)["status"] == "CANCELLED"
    ended = owner.wait_for_status(ticket["id"], "CANCELLED")
    assert ended["cancelReason"] == "EVENT_CANCELLED"
    holder.wait_for_status(held["reservationId"], "CANCELLED")
    progress = eventually(lambda: admin("GET", f"{path}/cancellation"), lambda seen: seen["done"])
    assert (progress["reservationsCancelled"], progress["refundsDone"], progress["amountRefunded"]) == (2, 1, 300_000)
    payment = owner.sandbox("GET", f"/sandbox/payments/{ticket['paymentId']}")
    assert payment["cancelledAmount"] == payment["paidAmount"] == 300_000
    late = new_buyer()

    def enter() -> str:
        """The admitter reads the cancellation only while a user waits, so this one waits until it has."""
        try:
            late.enter(event["id"])
            late.wait_for_admission(event["id"])
        except ApiError as error:
            return error.code
        late.api("DELETE", "/queue/leave", params={"eventId": event["id"]})
        return "admitted"

    eventually(enter, lambda code: code == "SALE_CLOSED")
    eventually(lambda: seat_statuses(public, event["id"], seats), lambda found: found == {"AVAILABLE"})


def test_a_ticket_of_a_rescheduled_event_is_cancelled_for_free(
    admin: Api, new_buyer: NewBuyer, public: Api, event: dict[str, Any]
) -> None:
    buyer = new_buyer()
    ticket = buy(buyer, event["id"], [seats_of(public, event["id"])[0]["id"]])
    new_start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    times = {"startsAt": rfc3339(new_start), "endsAt": rfc3339(new_start + timedelta(hours=3))}
    assert rejection(lambda: admin("PUT", f"/events/{event['id']}", times)).code == "SALE_STARTED"
    admin("POST", f"/events/{event['id']}/reschedule", {**times, "reason": "the hall is flooded"})
    moved = eventually(lambda: buyer.reservation(ticket["id"]), lambda seen: seen["rescheduledAt"])
    assert datetime.fromisoformat(moved["eventStartsAt"]) == new_start
    assert buyer.api("DELETE", f"/reservations/{ticket['id']}")["fee"] == 0


def test_an_account_with_a_ticket_is_withdrawn_only_with_its_cancellation_and_refund(
    public: Api, new_buyer: NewBuyer, event: dict[str, Any]
) -> None:
    buyer = new_buyer()
    seat = seats_of(public, event["id"])[0]["id"]
    ticket = buy(buyer, event["id"], [seat])
    eventually(lambda: seat_statuses(public, event["id"], [seat]), lambda found: found == {"SOLD"})
    withdrawal = {"password": buyer.password}
    stopped = rejection(lambda: buyer.api("DELETE", "/users/me", withdrawal))
    assert (stopped.status, stopped.code) == (409, "ACCOUNT_IN_USE")
    assert stopped.body["details"] == {"tickets": [ticket["id"]], "holds": [], "payments": []}
    assert buyer.reservation(ticket["id"])["status"] == "CONFIRMED"
    buyer.api("DELETE", "/users/me", {**withdrawal, "cancelReservations": True})
    payment = eventually(
        lambda: buyer.sandbox("GET", f"/sandbox/payments/{ticket['paymentId']}"),
        lambda held: held["cancelledAmount"] == 150_000,
    )
    assert payment["paidAmount"] == 150_000
    eventually(lambda: seat_statuses(public, event["id"], [seat]), lambda found: found == {"AVAILABLE"})
    assert rejection(lambda: buyer.login()).status == 401  # test_accounts.py checks what happens to the sessions
