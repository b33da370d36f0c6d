"""Internal: how an event is sold, asked by the waiting room (QUEUE-001)."""

from common.contracts.internal_call import internal
from common.contracts.sale_terms import SaleTermsAnswer, SaleTermsAsked
from functions.events.wiring import events


@internal
def handler(asked: SaleTermsAsked) -> SaleTermsAnswer:
    return events().sale_terms(asked.event_id)
