"""GET /venues: venues with their halls, by name."""

from typing import Annotated

from pydantic import Field

from common.domain.model import Text
from common.http.endpoint import endpoint
from common.http.page import Page
from common.http.request import Paging
from functions.events.handlers.responses.venue_response import VenueAnswer
from functions.events.wiring import venues


class VenueListQuery(Paging):
    city: Annotated[Text, Field(max_length=200)] | None = None


@endpoint
def handler(query: VenueListQuery) -> Page[VenueAnswer]:
    return venues().page(query.city, query)
