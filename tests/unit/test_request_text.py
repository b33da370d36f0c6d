"""Every field of every request: text in NFC without invisible characters, and no unknown field."""

import json
import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin
from unicodedata import category, normalize

import pytest
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from common.domain.model import Model, Text, VisibleText
from common.domain.shared_errors import InvalidInput
from common.http.request import Body, Path, Query, Request, parse_body
from tools.openapi.routes import routes

ROUTES = {route.name: route for route in routes()}
KINDS = {
    f"{name}.{base.__name__}": kind
    for name, route in ROUTES.items()
    for base in (Body, Query, Path)
    if (kind := route.operation.taken(base)) is not None
}
INVISIBLE = [chr(code) for code in (0x3164, 0x115F, 0x1160, 0xFFA0, *range(0x200B, 0x2010), 0x2800, 0xFEFF, 0xAD)]
INVISIBLE += [chr(code) for code in (*range(0x2060, 0x2065), 0x034F, 0x180E, 0x202E, 0x2066, 0xFE0F, 0xE0100, 0xE0041)]


def texts(kind: type[BaseModel], path: str) -> Iterator[tuple[str, Any]]:
    """The type of each text in `kind`, with its name."""
    for name, field in kind.model_fields.items():
        whole: Any = field.annotation
        for mark in field.metadata:
            whole = Annotated[whole, mark]
        yield from _texts(whole, f"{path}.{name}")


def _texts(kind: Any, path: str) -> Iterator[tuple[str, Any]]:
    if (get_origin(kind) is Annotated and get_args(kind)[0] is str) or kind is str:
        yield path, kind
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from texts(kind, path)
    elif get_origin(kind) in (Union, types.UnionType, list, tuple, dict, Annotated):
        arguments = get_args(kind)
        for argument in arguments[:1] if get_origin(kind) is Annotated else arguments:
            yield from _texts(argument, path)


TEXTS = dict(text for name, kind in KINDS.items() for text in texts(kind, name))


def test_there_are_texts_to_check() -> None:
    assert len(TEXTS) > 20
    assert "create_hall.Body.seat_template.sections.name" in TEXTS


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_of_a_request_is_kept_in_another_form_than_nfc_or_with_invisible_characters(name: str) -> None:
    """A field takes such text and makes it normal, or, like an e-mail address, it takes no such text."""
    for offered in (normalize("NFD", "한글 가"), *(f"가{character}나" for character in INVISIBLE)):
        try:
            kept = TypeAdapter(TEXTS[name]).validate_python(offered)
        except ValidationError:
            continue
        assert kept == normalize("NFC", kept)
        assert not any(character in kept for character in INVISIBLE)


@pytest.mark.parametrize("character", INVISIBLE)
def test_text_of_invisible_characters_is_blank(character: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(VisibleText).validate_python(f" {character}{character}\t")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("BTS\u3164콘서트", "BTS 콘서트"),
        ("홍\u200b길\u00ad동\ufeff", "홍길동"),
        ("\u1112\u1169\u11bc", "홍"),
        ("\u1100\u200b\u1161", "가"),  # what composes once the invisible character is gone
        (
            "👩\u200d❤\ufe0f\u200d👩 🏴\U000e0067\U000e0062\U000e007f",
            "👩\u200d❤\ufe0f\u200d👩 🏴\U000e0067\U000e0062\U000e007f",
        ),
        ("a\ufe0f\u200db", "ab"),
        ("ＢＴＳ", "ＢＴＳ"),  # full width is another text; only a search takes them for the same
        ("Beyonce\u0301", "Beyoncé"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_text_is_made_normal_and_keeps_what_can_be_seen(written: str, kept: str) -> None:
    assert TypeAdapter(Text).validate_python(written) == kept
    assert TypeAdapter(Text).validate_python(kept) == kept


def test_every_format_character_but_those_of_emoji_and_of_one_script_is_removed() -> None:
    left = [chr(code) for code in range(0x110000) if category(chr(code)) == "Cf"]
    kept = {f"{ord(each):04X}" for each in left if TypeAdapter(Text).validate_python(f"a{each}b") != "ab"}
    # Numbers of Arabic, Syriac and Kaithi, and marks of hieroglyphs and shorthand: they are seen.
    assert {code[:-1] for code in kept} <= {"060", "06D", "070", "089", "08E", "110B", "110C", "1343"}


@pytest.mark.parametrize("name", [name for name in KINDS if name.endswith(".Body")])
def test_an_unknown_field_of_a_body_is_rejected_by_name(name: str) -> None:
    route, kind = ROUTES[name.removesuffix(".Body")], KINDS[name]
    for body in _with_unknown_fields(json.loads(route.sample["body"])):
        with pytest.raises(InvalidInput) as error:
            parse_body(kind, Request.of({**route.sample, "body": json.dumps(body)}))
        assert [fault["field"].split(".")[-1] for fault in error.value.details or []] == ["unknownField"]


def _with_unknown_fields(part: Any) -> Iterator[Any]:
    """The part once for each object of it, with an unknown field there; `prices` has names of its own."""
    if isinstance(part, dict):
        yield {**part, "unknownField": 1}
        for name, value in part.items():
            if name != "prices":
                yield from ({**part, name: changed} for changed in _with_unknown_fields(value))
    elif isinstance(part, list):
        yield from (
            [*part[:i], changed, *part[i + 1 :]]
            for i, each in enumerate(part)
            for changed in _with_unknown_fields(each)
        )


def test_a_message_between_services_may_have_fields_that_are_not_known_yet() -> None:
    class Message(Model):
        count: int

    assert Message.model_validate({"count": 1, "later": 2}).count == 1


def test_a_password_keeps_its_own_form() -> None:
    """In NFKC since the first release, so that what was hashed then still matches; nothing is removed from it."""
    from functions.auth.domain.account_fields import NewPassword, OfferedPassword

    written = normalize("NFD", "비밀번호") + "\u200b１2345"
    for kind in (NewPassword, OfferedPassword):
        password: SecretStr = TypeAdapter(kind).validate_python(written)
        assert password.get_secret_value() == normalize("NFKC", written)
        assert "\u200b" in password.get_secret_value()
