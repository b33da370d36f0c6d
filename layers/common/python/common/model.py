"""JSON as clients see it: camelCase names, UTC times with a Z, money in whole won, ids as UUID strings."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel


def _printable(text: str) -> str:
    # Postgres refuses U+0000 in text; a lone surrogate cannot be UTF-8 at all. Both would surface as a 500.
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must not contain NUL or lone surrogates")
    return text


def _in_utc(moment: datetime) -> datetime:
    # Postgres knows no offset beyond 16 hours, and Python no year 10000: an odd offset would surface as a 500.
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


def rfc3339(moment: datetime) -> str:
    """`2026-05-01T11:00:00Z`, with fractions only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Text = Annotated[str, AfterValidator(_printable)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc), PlainSerializer(rfc3339, return_type=str, when_used="json")]


class Model(BaseModel):
    """A JSON object. Unknown fields are ignored, so that an older reader survives a newer writer."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    def to_json(self) -> str:
        return self.model_dump_json(by_alias=True)

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)
