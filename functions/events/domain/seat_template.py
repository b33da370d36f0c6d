"""A hall's seat template: sections with rows of equal length, each section of one grade (EVT-009, EVT-013)."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from common.domain.model import ClosedModel, VisibleText, Whole

Grade = Literal["VIP", "S", "A", "B"]
GRADES: tuple[Grade, ...] = get_args(Grade)  # the highest first; grades are shown in this order
MAX_HALL_SEATS = 100_000

Count = Annotated[Whole, Field(strict=True, ge=1, le=MAX_HALL_SEATS)]


class Section(ClosedModel):
    name: Annotated[VisibleText, AfterValidator(str.strip), Field(min_length=1, max_length=20)]
    grade: Grade
    rows: Count
    seats_per_row: Count


class SeatTemplate(ClosedModel):
    """Section names differ, so that seat numbers (section-row-number) differ."""

    sections: Annotated[list[Section], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len({section.name for section in self.sections}) < len(self.sections):
            raise PydanticCustomError("section_names", "section names must differ")
        if self.capacity > MAX_HALL_SEATS:
            raise PydanticCustomError("capacity", "a hall has at most {most} seats", {"most": MAX_HALL_SEATS})
        return self

    @property
    def capacity(self) -> int:
        return sum(section.rows * section.seats_per_row for section in self.sections)

    @property
    def grades(self) -> list[Grade]:
        return [grade for grade in GRADES if any(section.grade == grade for section in self.sections)]


def in_grade_order(by_grade: Mapping[Grade, int]) -> dict[Grade, int]:
    """`by_grade` with the highest grade first: Postgres's jsonb orders keys in its own way."""
    return {grade: by_grade[grade] for grade in GRADES if grade in by_grade}
