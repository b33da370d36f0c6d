"""Which texts, times and numbers are accepted in JSON."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from common.domain.model import Model, Moment, VisibleText, Whole


class Thing(Model):
    at: Moment | None = None
    count: Whole = 0
    name: VisibleText = "x"


def read(**body: Any) -> Thing:
    return Thing.model_validate_json(json.dumps(body), strict=True)


@pytest.mark.parametrize(
    "at", [1, "1", "1767225600", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-01-01T24:00:00Z"]
)
def test_a_time_that_is_not_rfc_3339_is_rejected(at: object) -> None:
    with pytest.raises(ValidationError):
        read(at=at)


@pytest.mark.parametrize(
    "at", ["2026-01-01T09:00:00+09:00", "2026-01-01T09:00:00 09:00", "2026-01-01t00:00:00z", "2026-01-01T00:00:00.000Z"]
)
def test_a_time_is_written_in_utc(at: str) -> None:
    assert read(at=at).to_dict()["at"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z"),
        ("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.500Z"),
        ("2026-01-01T00:00:00.123456Z", "2026-01-01T00:00:00.123Z"),
    ],
)
def test_a_response_has_one_form_of_time_with_milliseconds(at: str, shown: str) -> None:
    assert json.loads(read(at=at).to_json())["at"] == shown


def test_our_own_services_get_a_time_to_the_microsecond() -> None:
    assert read(at="2026-01-01T00:00:00.123456Z").to_dict()["at"] == "2026-01-01T00:00:00.123456Z"


@pytest.mark.parametrize(("count", "fits"), [(3, True), (3.0, True), (3.5, False), ("3", False), (True, False)])
def test_a_whole_number_is_accepted_with_or_without_a_decimal_point(count: object, fits: bool) -> None:
    if fits:
        assert read(count=count).count == 3
    else:
        with pytest.raises(ValidationError):
            read(count=count)


@pytest.mark.parametrize("name", ["", " ", "\t\n", "\x19", "\u00a0", "\u3000", "a\x00"])
def test_a_name_without_visible_characters_is_rejected(name: str) -> None:
    with pytest.raises(ValidationError):
        read(name=name)
