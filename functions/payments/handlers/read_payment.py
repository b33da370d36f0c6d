"""GET /payments/{id}: one of the user's payments (PAY-014)."""

from common.domain.ids import PaymentId
from common.domain.shared_errors import NotFound
from common.http.endpoint import endpoint
from common.http.request import IdPath, User
from functions.payments.handlers.responses.payment_response import PaymentResponse
from functions.payments.wiring import repositories


@endpoint
def handler(user: User, path: IdPath) -> PaymentResponse:
    payment = repositories.payment_repository().find(PaymentId(path.id))
    if payment is None or payment.user_id != user.id:
        raise NotFound()
    return PaymentResponse.of(payment)
