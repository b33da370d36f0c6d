"""The repositories, without an HTTP client: functions that only read payments do not load one."""

from functools import cache

from common.wiring.database import database
from functions.payments.adapters.payment_repository import PaymentRepository
from functions.payments.adapters.refund_repository import RefundRepository


@cache
def payment_repository() -> PaymentRepository:
    return PaymentRepository(database())


@cache
def refund_repository() -> RefundRepository:
    return RefundRepository(database())
