"""How a list of events is narrowed and sorted (EVT-004, EVT-018)."""

from typing import Annotated, Literal

from pydantic import Field

from common.domain.model import Model, Moment, Text
from functions.events.domain.event import EventStatus

EventOrder = Literal["startsAt", "-startsAt", "saleStartsAt", "title"]


class EventSearch(Model):
    """Every word of `q` is in title or artist: as a part, in any case, or in English in any form. `from` is
    inclusive, `to` exclusive, both of the show's start; `city` is the venue's. `page` counts from 0."""

    page: int = 0
    size: int = 20
    status: EventStatus | None = None
    city: Annotated[Text, Field(max_length=200)] | None = None
    q: Annotated[Text, Field(max_length=100)] | None = None
    starts_from: Annotated[Moment | None, Field(alias="from")] = None
    starts_before: Annotated[Moment | None, Field(alias="to")] = None
    sort: EventOrder = "startsAt"
