"""The payments service put together: built on the first request, kept for the warm container."""

from datetime import timedelta
from functools import cache
from uuid import UUID

from common.contracts.internal_call import call
from common.contracts.payable import GUARD_SECONDS, PayableAnswer, PayableAsked
from common.domain.clock import new_id, utc_now
from common.domain.shared_errors import HoldExpired, NotFound
from common.protection.circuit_breaker import Circuit
from common.runtime.settings import Settings
from common.stores import redis
from common.stores.secrets import secret
from functions.payments.adapters.clients.portone import PortOne, portone_client
from functions.payments.adapters.payment_repository import payment_store
from functions.payments.domain.payment_gateway import PortOneAway
from functions.payments.usecases.checkout import Checkout


class CheckoutSettings(Settings):
    portone_url: str
    hold_seconds: int


class PayableSettings(Settings):
    payable_function: str


def payable(reservation_id: UUID, user_id: UUID, guard_seconds: int) -> PayableAnswer:
    """Ask the reservations service. Not a read when it lengthens a hold, and PortOne needs the time of a second try."""
    asked = PayableAsked(reservation_id=reservation_id, user_id=user_id, guard_seconds=guard_seconds)
    function = PayableSettings.from_environment().payable_function
    return call(function, asked, PayableAnswer, read=guard_seconds == 0, raises=(NotFound, HoldExpired))


@cache
def checkout() -> Checkout:
    settings = CheckoutSettings.from_environment()
    circuit = Circuit("portone", redis.client(), utc_now, failures=(PortOneAway,))
    portone = secret("portone")
    client = portone_client(settings.portone_url, portone["apiSecret"])
    bank = PortOne(client, payment_store().keep_answer, circuit.guard, portone["channelKey"])
    # A payment is abandoned once its hold, and the guard it may have been given, are surely over.
    settle_after = timedelta(seconds=settings.hold_seconds + GUARD_SECONDS + 10)
    return Checkout(payment_store(), bank, payable, utc_now, new_id, settle_after)
