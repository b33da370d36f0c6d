"""What the purchase handlers add to their use cases: the required token, and the response."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from standardwebhooks.webhooks import Webhook

from common.domain.ids import EventId, PaymentId, ReservationId, SeatId, UserId
from common.domain.shared_errors import QueueTokenInvalid
from functions.gateway.handlers import check_health
from functions.gateway.wiring import health
from functions.payments.domain.payment import Payment, PaymentStatus
from functions.payments.domain.payment_gateway import GatewayUnavailable
from functions.payments.handlers import confirm_payment, create_payment, receive_webhook
from functions.payments.usecases.create_payment import CreatedPayment
from functions.payments.wiring import gateway_sync, purchase
from functions.payments.wiring import secrets as payment_secrets
from functions.reservations.adapters.seat_holds_redis import SeatHolds
from functions.reservations.handlers import cancel_reservation, change_seats, read_seat_map
from functions.reservations.usecases.read_seat_map import ReadSeatMap
from functions.reservations.wiring import purchases, seat_map
from functions.reservations.wiring import tokens as reservation_tokens

NOW = datetime(2026, 5, 1, 11, 0, tzinfo=UTC)
USER, SEAT = uuid4(), SeatId(uuid4())
PENDING = Payment(
    id=PaymentId(uuid4()),
    payment_key="key-1234",
    reservation_id=ReservationId(uuid4()),
    event_id=EventId(uuid4()),
    user_id=UserId(USER),
    order_name="Tour 2매",
    amount=300_000,
    method="CARD",
    status=PaymentStatus.PENDING,
    created_at=NOW,
)
SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()


def reject(*_: object) -> None:
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


@pytest.mark.parametrize(("is_new", "status"), [(True, 201), (False, 200)])
def test_a_repeated_payment_request_gets_200_instead_of_201(
    monkeypatch: pytest.MonkeyPatch, is_new: bool, status: int
) -> None:
    monkeypatch.setattr(purchase, "queue_tokens", tokens(lambda *_: None))
    created = SimpleNamespace(create=lambda *_: CreatedPayment(PENDING, is_new))
    monkeypatch.setattr(purchase, "create_payment", lambda: created)
    monkeypatch.setattr(payment_secrets, "portone_secret", lambda: {"storeId": "store", "channelKey": "channel"})
    body = {"reservationId": str(PENDING.reservation_id), "paymentKey": PENDING.payment_key, "method": "CARD"}
    assert answer(create_payment.handler, body)[0] == status


def test_a_pending_payment_is_confirmed_with_its_token_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purchase, "queue_tokens", tokens(reject))
    monkeypatch.setattr(purchase, "confirm_payment", lambda: SimpleNamespace(find=lambda *_: PENDING, confirm=never))
    status, error = answer(confirm_payment.handler, {"paymentId": str(PENDING.id)})
    assert (status, error["code"]) == (401, "QUEUE_TOKEN_INVALID")


def test_seats_are_changed_with_an_admission_only(monkeypatch: pytest.MonkeyPatch) -> None:
    held = SimpleNamespace(event_id=uuid4())
    monkeypatch.setattr(reservation_tokens, "queue_tokens", tokens(reject))
    monkeypatch.setattr(purchases, "reservations", lambda: SimpleNamespace(find=lambda *_: held))
    monkeypatch.setattr(purchases, "change_seats", lambda: SimpleNamespace(change=never))
    status, error = answer(change_seats.handler, {"seatIds": [str(SEAT)]}, pathParameters={"id": str(uuid4())})
    assert (status, error["code"]) == (401, "QUEUE_TOKEN_INVALID")


def test_a_webhook_that_could_not_be_processed_gets_503_so_that_it_is_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unavailable(_payment_id: UUID) -> None:
        raise GatewayUnavailable(timed_out=True)

    monkeypatch.setattr(payment_secrets, "portone_secret", lambda: {"webhookSecrets": [SECRET]})
    monkeypatch.setattr(gateway_sync, "sync_with_gateway", lambda: SimpleNamespace(handle_webhook=unavailable))
    body, now = json.dumps({"data": {"paymentId": str(PENDING.id)}}), datetime.now(UTC)
    headers = {"webhook-id": "1", "webhook-timestamp": str(int(now.timestamp()))}
    headers["webhook-signature"] = Webhook(SECRET).sign("1", now, body)
    assert receive_webhook.handler({"body": body, "headers": headers}, None)["statusCode"] == 503


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


@pytest.mark.parametrize("store", ["postgres", "redis", "kafka"])
def test_health_is_down_when_any_store_is(monkeypatch: pytest.MonkeyPatch, store: str) -> None:
    def unavailable() -> None:
        raise OSError("unavailable")

    for each in ("postgres", "redis", "kafka"):
        monkeypatch.setattr(health, f"check_{each}", unavailable if each == store else lambda: None)
    status, body = answer(check_health.handler)
    assert (status, body["status"], body["checks"][store]) == (503, "DOWN", "DOWN")


@pytest.mark.parametrize(
    ("query", "status", "expected"),
    [(None, 200, None), ({"expectedFee": "30000"}, 200, 30_000), ({"expectedFee": "-1"}, 400, ...)],
)
def test_a_cancellation_takes_the_fee_that_the_buyer_expects(
    monkeypatch: pytest.MonkeyPatch, query: dict[str, str] | None, status: int, expected: object
) -> None:
    fees: list[object] = []

    def cancel(_user: object, reservation_id: ReservationId, expected_fee: int | None) -> SimpleNamespace:
        fees.append(expected_fee)
        return SimpleNamespace(id=reservation_id, status="CANCELLED", refund_amount=120_000, fee=30_000)

    monkeypatch.setattr(purchases, "cancel_reservation", lambda: SimpleNamespace(cancel=cancel))
    answered, _ = answer(cancel_reservation.handler, pathParameters={"id": str(uuid4())}, queryStringParameters=query)
    assert answered == status
    assert fees == ([] if expected is ... else [expected])
