"""The waiting room put together: built on the first request, kept for the warm container."""

from functools import cache
from uuid import UUID

from common import redis
from common.clock import utc_now
from common.internal import call
from common.sale_terms import SaleTermsAnswer, SaleTermsAsked
from common.settings import Settings
from functions.queue.line_store import LineStore
from functions.queue.waiting_room import SaleTerms, WaitingRoom


class SalesSettings(Settings):
    sale_terms_function: str


class EventSales:
    """The events service, asked by direct invocation; only a function that asks needs to know its name."""

    def terms(self, event_id: UUID) -> SaleTerms:
        function = SalesSettings.from_environment().sale_terms_function
        answer = call(function, SaleTermsAsked(event_id=event_id), SaleTermsAnswer, read=True)
        return SaleTerms(
            event_id=event_id,
            opens_at=answer.sale_starts_at,
            closes_at=answer.sale_ends_at,
            capacity=answer.queue_capacity,
            admission_per_second=answer.admission_per_second,
            sold_out=answer.sold_out,
        )


@cache
def waiting_room() -> WaitingRoom:
    return WaitingRoom(LineStore(redis.client()), EventSales(), utc_now)
