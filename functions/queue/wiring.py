"""The queue service's objects, built at their first use and kept for the execution environment.

Only functions that call the events service need SALE_TERMS_FUNCTION.
"""

from datetime import timedelta
from functools import cache

from common.domain.clock import utc_now
from common.runtime.settings import Settings
from common.waitingroom.queue_keys import WAITER_GRACE_SECONDS
from common.wiring.internal_caller import internal_caller
from common.wiring.redis_client import redis_client
from common.wiring.secret_cache import secret
from functions.queue.adapters.clients.events_client import EventsClient
from functions.queue.adapters.queue_redis import QueueRedis
from functions.queue.adapters.receipt_signing_keys import ReceiptSigningKeys
from functions.queue.domain.place_receipt import PlaceReceiptSigner
from functions.queue.usecases.enter_queue import EnterQueue
from functions.queue.usecases.manage_queues import ManageQueues
from functions.queue.usecases.read_queue import ReadQueue


class EventsSettings(Settings):
    sale_terms_function: str


class QueueSettings(Settings):
    waiter_grace_seconds: int = WAITER_GRACE_SECONDS


@cache
def queue() -> QueueRedis:
    return QueueRedis(redis_client(), timedelta(seconds=QueueSettings.from_environment().waiter_grace_seconds))


@cache
def enter_queue() -> EnterQueue:
    return EnterQueue(queue(), _events(), utc_now)


@cache
def read_queue() -> ReadQueue:
    return ReadQueue(queue(), utc_now)


@cache
def manage_queues() -> ManageQueues:
    return ManageQueues(queue(), _events(), utc_now)


@cache
def place_receipts() -> PlaceReceiptSigner:
    return PlaceReceiptSigner(ReceiptSigningKeys(secret))


def _events() -> EventsClient:
    return EventsClient(internal_caller(), EventsSettings.from_environment().sale_terms_function)
