"""GET /venues: venues with their halls, by name."""

from typing import Annotated

from pydantic import Field

from common.domain.model import Text
from common.http.endpoint import endpoint
from common.http.page import Page
from common.http.request import Paging
from functions.events.handlers.responses.venue_response import VenueResponse
from functions.events.wiring import venues


class VenueQuery(Paging):
    city: Annotated[Text, Field(max_length=200)] | None = None


@endpoint
def handler(query: VenueQuery) -> Page[VenueResponse]:
    page = venues.venue_repository().page(query.city, limit=query.size, offset=query.offset)
    items = [VenueResponse.of(venue) for venue in page.items]
    return Page[VenueResponse](items=items, page=query.page, size=query.size, total=page.total)
