"""The payment gateway, and what brings a payment to the state that it reports."""

from functools import cache

from common.domain.clock import new_id, utc_now
from common.messaging.outbox import Outbox
from common.protection.circuit_breaker import CircuitBreaker
from common.runtime.settings import Settings
from common.wiring.database import database
from common.wiring.redis_client import redis_client
from functions.payments.adapters.clients.portone import PortOne, portone_client
from functions.payments.domain.payment_gateway import GatewayUnavailable, PaymentGateway
from functions.payments.usecases.record_outcome import RecordOutcome
from functions.payments.usecases.sync_with_gateway import SyncWithGateway
from functions.payments.wiring.repositories import payment_repository, refund_repository
from functions.payments.wiring.secrets import portone_secret


class PortOneSettings(Settings):
    portone_url: str


@cache
def payment_gateway() -> PaymentGateway:
    settings = PortOneSettings.from_environment()
    circuit = CircuitBreaker("portone", redis_client(), utc_now, failures=(GatewayUnavailable,))
    portone = portone_secret()
    client = portone_client(settings.portone_url, portone["apiSecret"])
    return PortOne(client, payment_repository().add_gateway_answer, circuit.attempt, portone["channelKey"])


@cache
def record_outcome() -> RecordOutcome:
    return RecordOutcome(database(), payment_repository(), refund_repository(), Outbox())


@cache
def sync_with_gateway() -> SyncWithGateway:
    return SyncWithGateway(payment_repository(), record_outcome(), payment_gateway(), utc_now, new_id)
