"""What a buyer's two calls need, `POST /payments` and `POST /payments/confirm`."""

from functools import cache

from common.domain.clock import new_id, utc_now
from common.runtime.settings import Settings
from common.waitingroom.queue_tokens import QueueTokens
from common.wiring.internal_caller import internal_caller
from common.wiring.redis_client import redis_client
from functions.payments.adapters.clients.reservations_client import ReservationsClient
from functions.payments.usecases.confirm_payment import ConfirmPayment
from functions.payments.usecases.create_payment import CreatePayment
from functions.payments.wiring.gateway_sync import payment_gateway, sync_with_gateway
from functions.payments.wiring.repositories import payment_repository


class ReservationsSettings(Settings):
    payable_function: str


@cache
def queue_tokens() -> QueueTokens:
    return QueueTokens(redis_client())


@cache
def reservations_client() -> ReservationsClient:
    return ReservationsClient(internal_caller(), ReservationsSettings.from_environment().payable_function)


@cache
def create_payment() -> CreatePayment:
    return CreatePayment(
        payments=payment_repository(),
        gateway=payment_gateway(),
        reservations=reservations_client(),
        sync=sync_with_gateway(),
        clock=utc_now,
        new_id=new_id,
    )


@cache
def confirm_payment() -> ConfirmPayment:
    return ConfirmPayment(payment_repository(), payment_gateway(), reservations_client(), sync_with_gateway())
