"""GET /payments: the user's payments, newest first (PAY-015)."""

from common.http.endpoint import endpoint
from common.http.page import Page
from common.http.request import Paging, User
from functions.payments.adapters.payment_repository import payment_store
from functions.payments.handlers.responses.payment_response import PaymentAnswer


@endpoint
def handler(user: User, query: Paging) -> Page[PaymentAnswer]:
    found, total = payment_store().of_user(user.id, query.size, query.offset)
    return Page(items=[PaymentAnswer.of(each) for each in found], page=query.page, size=query.size, total=total)
