"""Internal: the terms of an event's sale, for the waiting room (QUEUE-001)."""

from common.contracts.sale_terms import SaleTermsRequest, SaleTermsResponse
from common.http.internal_endpoint import internal
from functions.events.wiring import repositories


@internal
def handler(request: SaleTermsRequest) -> SaleTermsResponse:
    terms = repositories.event_repository().sale_terms(request.event_id)
    return SaleTermsResponse.model_validate(terms, from_attributes=True)
