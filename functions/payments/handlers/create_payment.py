"""POST /payments: a payment of the reservation's amount, ready for PortOne's browser SDK (PAY-004 to PAY-007)."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from common.domain.model import Model
from common.domain.shared_errors import HoldExpired, NotFound
from common.http.endpoint import Answer, endpoint
from common.http.request import Body, Request, User
from common.protection.rate_class import PAYMENT
from common.stores.secrets import secret
from common.waitingroom.queue_tokens import QUEUE_TOKEN_ERRORS
from functions.payments.domain.errors import PaymentInProgress, PaymentKeyReused, PaymentUnavailable
from functions.payments.domain.payment import Status
from functions.payments.wiring.checkout import checkout
from functions.payments.wiring.queue_token_check import queue_tokens


class CreateBody(Body):
    reservation_id: UUID
    payment_key: Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[\x21-\x7e]+$")]
    method: Literal["CARD"]


class CreatedAnswer(Model):
    payment_id: UUID
    payment_key: str
    reservation_id: UUID
    amount: int
    status: Status
    store_id: str
    channel_key: str
    order_name: str


@endpoint(
    limit=PAYMENT,
    answers={200: CreatedAnswer, 201: CreatedAnswer},
    raises=[
        *QUEUE_TOKEN_ERRORS,
        NotFound,
        PaymentKeyReused,
        PaymentInProgress,
        HoldExpired,
        PaymentUnavailable,
    ],
)
def handler(request: Request, user: User, body: CreateBody) -> Answer:
    queue_tokens().check_payment(request.queue_token, body.reservation_id)
    made = checkout().create(user.id, body.reservation_id, body.payment_key, body.method)
    portone = secret("portone")
    answer = CreatedAnswer(
        payment_id=made.payment.id,
        payment_key=made.payment.payment_key,
        reservation_id=made.payment.reservation_id,
        amount=made.payment.amount,
        status=made.payment.status,
        store_id=portone["storeId"],
        channel_key=portone["channelKey"],
        order_name=made.payment.order_name,
    )
    return Answer(answer, 201 if made.fresh else 200)
