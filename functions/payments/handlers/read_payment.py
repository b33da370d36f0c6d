"""GET /payments/{id}: one of the user's payments (PAY-014)."""

from common.domain.shared_errors import NotFound
from common.http.endpoint import endpoint
from common.http.request import IdPath, User
from functions.payments.adapters.payment_repository import payment_store
from functions.payments.handlers.responses.payment_response import PaymentAnswer


@endpoint
def handler(user: User, path: IdPath) -> PaymentAnswer:
    payment = payment_store().find(path.id)
    if payment is None or payment.user_id != user.id:
        raise NotFound()
    return PaymentAnswer.of(payment)
