"""JSON as clients see it: camelCase names, UTC times with a Z, money in whole won, ids as UUID strings."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from unicodedata import normalize

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializationInfo,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel


def _printable(text: str) -> str:
    # Postgres rejects U+0000 in text, and a lone surrogate is not valid UTF-8. Both would end in a 500.
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must not contain NUL or lone surrogates")
    return text


_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
# A "+" of a query string that was not written as %2B arrives as a space.
_UNENCODED_PLUS = re.compile(r"(\d) (\d\d:\d\d)$", re.ASCII)


# Unicode's Default_Ignorable_Code_Point and interlinear annotations: text with them looks like text without. Joiners,
# variation selectors and tags stay behind an emoji, which they change.
_JOINERS = "\u200c\u200d\ufe00-\ufe0f\U000e0020-\U000e007f"
_EMOJI = "\u00a9\u00ae\u203c\u2049\u2122-\u27ff\u2900-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_INVISIBLE = re.compile(
    f"([{_EMOJI}][{_JOINERS}]+)"
    "|[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BLANK = re.compile("[\u2800\u3164\uffa0]")  # as wide as a letter, and used in place of a space
_VISIBLE = re.compile(r"[^\x00-\x20\x7f-\x9f\s]")
# The same for the OpenAPI document: its pattern sees the text as it is sent, and has no characters over 16 bits.
_VISIBLE_PATTERN = (
    r"^[^\x00]*[^\x00-\x20\x7f-\x9f\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb][^\x00]*$"
)


def _read(moment: Any) -> Any:
    # Pydantic would accept "7" too, as seconds since 1970.
    if not isinstance(moment, str):
        return moment
    moment = _UNENCODED_PLUS.sub(r"\1+\2", moment)
    if not _RFC3339.fullmatch(moment):
        raise ValueError("must be an RFC 3339 time with its offset, as 2026-05-01T11:00:00Z")
    return datetime.fromisoformat(moment.upper())


def _in_utc(moment: datetime) -> datetime:
    # Postgres has no offset beyond 16 hours, and Python no year 10000: an unusual offset would end in a 500.
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


def _normal(text: str) -> str:
    """In NFC, as every keyboard but macOS's file names writes Hangul, without invisible characters."""
    if text.isascii():
        return text
    return normalize("NFC", _BLANK.sub(" ", _INVISIBLE.sub(r"\1", text)))


def _visible(text: str) -> str:
    if not _VISIBLE.search(text):
        raise ValueError("must not be blank")
    return text


def _whole(number: Any) -> Any:
    # JSON and JSON Schema have one kind of number: 3.0 is 3.
    return int(number) if isinstance(number, float) and number.is_integer() else number


def rfc3339(moment: datetime) -> str:
    """`2026-05-01T11:00:00.000Z`, always with milliseconds: many clients parse one form only."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _written(moment: datetime, info: SerializationInfo) -> str:
    exact = bool(info.context and info.context.get("exact"))
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if exact else rfc3339(moment)


# Whatever a client writes is one of these, or of characters that have one form. Equal text is then equal bytes.
Text = Annotated[
    str, AfterValidator(_printable), AfterValidator(_normal), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})
]
VisibleText = Annotated[Text, AfterValidator(_visible), Field(json_schema_extra={"pattern": _VISIBLE_PATTERN})]
Whole = Annotated[int, BeforeValidator(_whole)]
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_read),
    AfterValidator(_in_utc),
    PlainSerializer(_written, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Model(BaseModel):
    """A JSON object. Unknown fields are ignored, so that an old reader can read what a new writer sends."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    def to_json(self) -> str:
        return self.model_dump_json(by_alias=True)

    def to_dict(self) -> dict[str, Any]:
        """For our own services: times keep their microseconds, which a comparison with a stored one needs."""
        return self.model_dump(mode="json", by_alias=True, context={"exact": True})


class ClosedModel(Model):
    """What a client sends: an unknown field is a mistake of the client's, which is rejected rather than ignored."""

    model_config = ConfigDict(extra="forbid")
