"""The waiting room put together: built on the first request, kept for the warm container."""

import time
from base64 import b64decode
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from uuid import UUID

from common.contracts.internal_call import call
from common.contracts.sale_terms import SaleTermsAnswer, SaleTermsAsked
from common.domain.clock import utc_now
from common.domain.shared_errors import NotFound, StoreUnavailable
from common.runtime.log import log
from common.runtime.settings import Settings
from common.stores import redis
from common.stores.secrets import RETRY_SECONDS, secret
from common.waitingroom.queue_keys import WAITER_GRACE_SECONDS
from functions.queue.adapters.queue_redis import LineStore
from functions.queue.domain.place_receipt import PlaceTickets
from functions.queue.usecases.enter_queue import WaitingRoom


class SalesSettings(Settings):
    sale_terms_function: str


class LineSettings(Settings):
    waiter_grace_seconds: int = WAITER_GRACE_SECONDS


class EventSales:
    """The events service, asked by direct invocation; only a function that asks needs to know its name."""

    def terms(self, event_id: UUID) -> SaleTermsAnswer:
        function = SalesSettings.from_environment().sale_terms_function
        return call(function, SaleTermsAsked(event_id=event_id), SaleTermsAnswer, read=True, raises=(NotFound,))


class PlaceKeys:
    """The keys places are signed with; none while Secrets Manager is away and none was read yet.

    A place is worth more than its ticket: the line goes on without.
    """

    def __init__(self) -> None:
        self._away_until = 0.0

    def __call__(self) -> Sequence[bytes]:
        if time.monotonic() < self._away_until:
            return ()
        try:
            return [b64decode(key) for key in secret("queue/place")["keys"]]
        except StoreUnavailable:
            log.exception("Secrets Manager is away; places go unsigned")
            self._away_until = time.monotonic() + RETRY_SECONDS
            return ()


@cache
def waiting_room() -> WaitingRoom:
    grace = timedelta(seconds=LineSettings.from_environment().waiter_grace_seconds)
    return WaitingRoom(LineStore(redis.client(), grace), EventSales(), utc_now)


@cache
def tickets() -> PlaceTickets:
    return PlaceTickets(PlaceKeys())
