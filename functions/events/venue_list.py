"""GET /venues: venues with their halls, by name."""

from typing import Annotated

from pydantic import Field

from common.edge import endpoint
from common.model import Text
from common.page import Page
from common.request import Paging
from functions.events.composition import venues
from functions.events.venue_answer import VenueAnswer


class VenueListQuery(Paging):
    city: Annotated[Text, Field(max_length=200)] | None = None


@endpoint
def handler(query: VenueListQuery) -> Page[VenueAnswer]:
    return venues().page(query.city, query)
