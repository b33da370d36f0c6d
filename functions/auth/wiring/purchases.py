"""What a user has bought, in the reservations service."""

from functools import cache

from common.runtime.settings import Settings
from common.wiring.internal_caller import internal_caller
from functions.auth.adapters.clients.reservations_client import ReservationsClient


class PurchasesSettings(Settings):
    close_account_function: str


@cache
def purchases() -> ReservationsClient:
    return ReservationsClient(internal_caller(), PurchasesSettings.from_environment().close_account_function)
