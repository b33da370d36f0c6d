"""Calls to the events service."""

from common.contracts.internal_call import Call
from common.contracts.sale_terms import SaleTermsRequest, SaleTermsResponse
from common.domain.ids import EventId
from common.domain.shared_errors import NotFound


class EventsClient:
    def __init__(self, call: Call, sale_terms_function: str) -> None:
        self._call = call
        self._sale_terms_function = sale_terms_function

    def sale_terms(self, event_id: EventId) -> SaleTermsResponse:
        """Raises NotFound if the event does not exist, ServiceUnavailable if the events service is unavailable."""
        request = SaleTermsRequest(event_id=event_id)
        return self._call(self._sale_terms_function, request, SaleTermsResponse, read=True, raises=(NotFound,))
