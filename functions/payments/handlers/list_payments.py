"""GET /payments: the user's payments, newest first (PAY-015)."""

from common.http.endpoint import endpoint
from common.http.page import Page
from common.http.request import Paging, User
from functions.payments.handlers.responses.payment_response import PaymentResponse
from functions.payments.wiring import repositories


@endpoint
def handler(user: User, query: Paging) -> Page[PaymentResponse]:
    found, total = repositories.payment_repository().of_user(user.id, query.size, query.offset)
    return Page(items=[PaymentResponse.of(each) for each in found], page=query.page, size=query.size, total=total)
