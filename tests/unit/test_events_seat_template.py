"""A hall's seat template (EVT-013)."""

from typing import Any

import pytest
from pydantic import ValidationError

from functions.events.domain.seat_template import MAX_HALL_SEATS, SeatTemplate


def section(name: str = "A", grade: str = "VIP", rows: int = 1, seats_per_row: int = 1) -> dict[str, Any]:
    return {"name": name, "grade": grade, "rows": rows, "seatsPerRow": seats_per_row}


def template(*sections: dict[str, Any]) -> SeatTemplate:
    return SeatTemplate.model_validate({"sections": sections})


def test_a_halls_capacity_is_the_seats_of_all_its_sections() -> None:
    assert template(section("A", rows=10, seats_per_row=20), section("B", rows=3, seats_per_row=5)).capacity == 215


def test_a_halls_grades_are_listed_once_each_the_highest_first() -> None:
    assert template(section("A", "B"), section("B", "VIP"), section("C", "B")).grades == ["VIP", "B"]


def test_a_hall_can_have_exactly_the_maximum_of_seats() -> None:
    assert template(section(rows=1000, seats_per_row=100)).capacity == MAX_HALL_SEATS


@pytest.mark.parametrize(
    "sections",
    [
        [],
        [section(f"S{number}") for number in range(101)],
        [section(rows=1000, seats_per_row=100), section("B")],
        [section("A"), section("A", "S")],
        [section("A"), section(" A ", "S")],
        [section("")],
        [section("x" * 21)],
        [section(grade="R")],
        [section(rows=0)],
        [section(seats_per_row=-1)],
    ],
    ids=[
        "none",
        "too many",
        "too large",
        "same name",
        "same name but for spaces",
        "nameless",
        "long name",
        "unknown grade",
        "no rows",
        "negative",
    ],
)
def test_a_template_out_of_bounds_is_rejected(sections: list[dict[str, Any]]) -> None:
    with pytest.raises(ValidationError):
        template(*sections)
