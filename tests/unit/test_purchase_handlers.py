"""What a purchase's handlers add to the calls they make: which token they ask for, and how they answer."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from standardwebhooks.webhooks import Webhook

from common.domain.ids import SeatId
from common.domain.shared_errors import QueueTokenInvalid
from functions.gateway import health
from functions.payments import confirm, create, webhook
from functions.payments.bank import PortOneAway
from functions.payments.checkout import Created
from functions.payments.payment import Payment, Status
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.handlers import change_seats, read_seat_map
from functions.reservations.usecases.read_seat_map import ReadSeatMap
from functions.reservations.wiring import purchases, seat_map
from functions.reservations.wiring import tokens as reservation_tokens

NOW = datetime(2026, 5, 1, 11, 0, tzinfo=UTC)
USER, SEAT = uuid4(), SeatId(uuid4())
PENDING = Payment(
    id=uuid4(),
    payment_key="key-1234",
    reservation_id=uuid4(),
    event_id=uuid4(),
    user_id=USER,
    order_name="Tour 2매",
    amount=300_000,
    method="CARD",
    status=Status.PENDING,
    created_at=NOW,
)
SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


def refuse(*_: object) -> None:
    raise QueueTokenInvalid()


def never(*_: object) -> None:
    raise AssertionError("called without a token")


def tokens(check: Callable[..., None]) -> Callable[[], SimpleNamespace]:
    return lambda: SimpleNamespace(check_payment=check, check_reservation=check)


def answer(handler: Any, body: object = None, **more: Any) -> tuple[int, Any]:
    claims = {"sub": str(USER), "role": "USER", "sid": str(uuid4()), "jti": str(uuid4()), "exp": "1"}
    event = {"requestContext": {"authorizer": claims}, "body": json.dumps(body), **more}
    answered = handler(event, None)
    return answered["statusCode"], json.loads(answered["body"])


@pytest.mark.parametrize(("fresh", "status"), [(True, 201), (False, 200)])
def test_a_payment_asked_for_again_is_no_new_one(monkeypatch: pytest.MonkeyPatch, fresh: bool, status: int) -> None:
    monkeypatch.setattr(create, "queue_tokens", tokens(lambda *_: None))
    monkeypatch.setattr(create, "checkout", lambda: SimpleNamespace(create=lambda *_: Created(PENDING, fresh)))
    monkeypatch.setattr(create, "secret", lambda _: {"storeId": "store", "channelKey": "channel"})
    body = {"reservationId": str(PENDING.reservation_id), "paymentKey": PENDING.payment_key, "method": "CARD"}
    assert answer(create.handler, body)[0] == status


def test_a_pending_payment_is_confirmed_with_its_token_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "queue_tokens", tokens(refuse))
    monkeypatch.setattr(confirm, "checkout", lambda: SimpleNamespace(owned=lambda *_: PENDING, confirm=never))
    status, refused = answer(confirm.handler, {"paymentId": str(PENDING.id)})
    assert (status, refused["code"]) == (401, "QUEUE_TOKEN_INVALID")


def test_seats_are_changed_with_an_admission_only(monkeypatch: pytest.MonkeyPatch) -> None:
    held = SimpleNamespace(event_id=uuid4())
    monkeypatch.setattr(reservation_tokens, "queue_tokens", tokens(refuse))
    monkeypatch.setattr(purchases, "reservations", lambda: SimpleNamespace(find=lambda *_: held))
    monkeypatch.setattr(purchases, "change_seats", lambda: SimpleNamespace(change=never))
    status, refused = answer(change_seats.handler, {"seatIds": [str(SEAT)]}, pathParameters={"id": str(uuid4())})
    assert (status, refused["code"]) == (401, "QUEUE_TOKEN_INVALID")


def test_a_webhook_that_could_not_be_worked_on_is_to_be_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_payment_id: UUID) -> None:
        raise PortOneAway(timed_out=True)

    monkeypatch.setattr(webhook, "secret", lambda _: {"webhookSecrets": [SECRET]})
    monkeypatch.setattr(webhook, "checkout", lambda: SimpleNamespace(notice=away))
    body, now = json.dumps({"data": {"paymentId": str(PENDING.id)}}), datetime.now(UTC)
    headers = {"webhook-id": "1", "webhook-timestamp": str(int(now.timestamp()))}
    headers["webhook-signature"] = Webhook(SECRET).sign("1", now, body)
    assert webhook.handler({"body": body, "headers": headers}, None)["statusCode"] == 503


def test_a_seat_that_is_confirmed_while_the_map_is_read_is_not_shown_as_free(monkeypatch: pytest.MonkeyPatch) -> None:
    held, sold = {SEAT}, set[SeatId]()

    def then_confirmed(seats: set[SeatId]) -> set[SeatId]:
        seen = set(seats)
        held.clear()
        sold.add(SEAT)
        return seen

    use_case = ReadSeatMap(
        cast(SeatHolds, SimpleNamespace(held=lambda *_: then_confirmed(held))),
        sold=lambda _: sorted(then_confirmed(sold)),
        seat_count=lambda _: 8,
        clock=lambda: NOW,
    )
    monkeypatch.setattr(reservation_tokens, "queue_tokens", tokens(lambda *_: None))
    monkeypatch.setattr(seat_map, "read_seat_map", lambda: use_case)
    _, shown = answer(read_seat_map.handler, pathParameters={"eventId": str(uuid4())})
    assert shown["seats"]["available"] == 7


@pytest.mark.parametrize("store", ["_postgres", "_redis", "_kafka"])
def test_health_is_down_when_any_store_is(monkeypatch: pytest.MonkeyPatch, store: str) -> None:
    def away() -> None:
        raise OSError("away")

    for each in ("_postgres", "_redis", "_kafka"):
        monkeypatch.setattr(health, each, away if each == store else lambda: None)
    status, told = answer(health.handler)
    assert (status, told["status"], told["checks"][store.strip("_")]) == (503, "DOWN", "DOWN")
