"""What finishes payments and refunds without a buyer: the schedule and the consumer use it."""

from datetime import timedelta
from functools import cache

from common.contracts.payable import EXTENSION_SECONDS
from common.domain.clock import utc_now
from common.messaging.consumer import Consumer
from common.messaging.messages import ReservationCancelled
from common.runtime.settings import Settings
from common.wiring.database import database
from functions.payments.usecases.apply_cancellations import ApplyCancellations
from functions.payments.usecases.refunds import Refunds
from functions.payments.usecases.settle_payments import SettlePayments
from functions.payments.wiring.gateway_sync import payment_gateway, record_outcome, sync_with_gateway
from functions.payments.wiring.repositories import payment_repository, refund_repository


class SettleSettings(Settings):
    hold_seconds: int


@cache
def settle_payments() -> SettlePayments:
    # A payment is abandoned once its hold, and the extension it may have been given, are surely over.
    hold_seconds = SettleSettings.from_environment().hold_seconds
    settle_after = timedelta(seconds=hold_seconds + EXTENSION_SECONDS + 10)
    return SettlePayments(payment_repository(), sync_with_gateway(), utc_now, settle_after)


@cache
def refunds() -> Refunds:
    return Refunds(payment_repository(), refund_repository(), record_outcome(), payment_gateway(), utc_now)


@cache
def refund_consumer() -> Consumer:
    cancellations = ApplyCancellations(refunds(), payment_repository(), sync_with_gateway())
    return Consumer("payments", database(), {ReservationCancelled: cancellations.cancelled})
