"""Internal: the terms of an event's sale, for the waiting room (QUEUE-001)."""

from common.contracts.sale_terms import SaleTermsAnswer, SaleTermsAsked
from common.domain.ids import EventId
from common.http.internal_endpoint import internal
from functions.events import wiring


@internal
def handler(asked: SaleTermsAsked) -> SaleTermsAnswer:
    terms = wiring.event_repository().sale_terms(EventId(asked.event_id))
    return SaleTermsAnswer.model_validate(terms, from_attributes=True)
