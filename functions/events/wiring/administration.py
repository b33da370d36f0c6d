"""Changing, cancelling and deleting events, and following a cancellation's refunds."""

from functools import cache

from common.domain.clock import new_id, utc_now
from common.messaging.outbox import Outbox
from common.runtime.settings import Settings
from common.wiring.database import database
from common.wiring.internal_caller import internal_caller
from functions.events.adapters.clients.payments_client import PaymentsClient
from functions.events.adapters.clients.reservations_client import ReservationsClient
from functions.events.usecases.cancellation_reader import CancellationReader
from functions.events.usecases.event_admin import EventAdmin
from functions.events.usecases.event_deletion import EventDeletion
from functions.events.wiring.reading import read_cache
from functions.events.wiring.repositories import event_repository

# A function that does not call another service has no setting with its name.


class ReservationsSettings(Settings):
    count_reservations_function: str


class PaymentsSettings(Settings):
    count_refunds_function: str


@cache
def reservations_client() -> ReservationsClient:
    return ReservationsClient(internal_caller(), ReservationsSettings.from_environment().count_reservations_function)


@cache
def payments_client() -> PaymentsClient:
    return PaymentsClient(internal_caller(), PaymentsSettings.from_environment().count_refunds_function)


@cache
def event_admin() -> EventAdmin:
    return EventAdmin(database(), event_repository(), Outbox(), read_cache(), utc_now, new_id)


@cache
def event_deletion() -> EventDeletion:
    return EventDeletion(database(), event_repository(), Outbox(), read_cache(), utc_now, reservations_client())


@cache
def cancellation_reader() -> CancellationReader:
    return CancellationReader(event_repository(), reservations_client(), payments_client())
