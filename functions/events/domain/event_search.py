"""What a list of events may be narrowed to and how it is sorted (EVT-004, EVT-018)."""

from typing import Annotated, Literal

from pydantic import Field

from common.domain.model import Moment, Text
from common.http.request import Paging
from functions.events.handlers.responses.event_response import EventStatus


class EventSearch(Paging):
    """Every word of `q` is in title or artist: as a part, whatever the case, or in English in any form. `from` is
    inclusive, `to` exclusive, both of the show's start; `city` is the venue's."""

    status: EventStatus | None = None
    city: Annotated[Text, Field(max_length=200)] | None = None
    q: Annotated[Text, Field(max_length=100)] | None = None
    starts_from: Annotated[Moment | None, Field(alias="from")] = None
    starts_before: Annotated[Moment | None, Field(alias="to")] = None
    sort: Literal["startsAt", "-startsAt", "saleStartsAt", "title"] = "startsAt"
