"""JSON as clients see it: camelCase names, UTC times with a Z, money in whole won, ids as UUID strings."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel


def _printable(text: str) -> str:
    # Postgres rejects U+0000 in text, and a lone surrogate is not valid UTF-8. Both would end in a 500.
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must not contain NUL or lone surrogates")
    return text


_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


_VISIBLE = re.compile(r"[^\x00-\x20\s]")


def _read(moment: Any) -> Any:
    # Pydantic would accept "7" too, as seconds since 1970.
    if not isinstance(moment, str):
        return moment
    if not _RFC3339.fullmatch(moment):
        raise ValueError("must be an RFC 3339 time with its offset, as 2026-05-01T11:00:00Z")
    return datetime.fromisoformat(moment.upper())


def _in_utc(moment: datetime) -> datetime:
    # Postgres has no offset beyond 16 hours, and Python no year 10000: an unusual offset would end in a 500.
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


def _visible(text: str) -> str:
    if not _VISIBLE.search(text):
        raise ValueError("must not be blank")
    return text


def _whole(number: Any) -> Any:
    # JSON and JSON Schema have one kind of number: 3.0 is 3.
    return int(number) if isinstance(number, float) and number.is_integer() else number


def rfc3339(moment: datetime) -> str:
    """`2026-05-01T11:00:00Z`, with a fraction only if there is one."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Text = Annotated[str, AfterValidator(_printable), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]
VisibleText = Annotated[
    Text, AfterValidator(_visible), Field(json_schema_extra={"pattern": r"^[^\x00]*[^\x00-\x20\s][^\x00]*$"})
]
Whole = Annotated[int, BeforeValidator(_whole)]
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_read),
    AfterValidator(_in_utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Model(BaseModel):
    """A JSON object. Unknown fields are ignored, so that an old reader can read what a new writer sends."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    def to_json(self) -> str:
        return self.model_dump_json(by_alias=True)

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)
