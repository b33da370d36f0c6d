"""Which events can be sold in a hall (EVT-001)."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from common.domain.shared_errors import DomainError, InvalidInput
from functions.events.domain.event_proposal import EventProposal
from functions.events.domain.seat_template import SeatTemplate, Section

HALL = SeatTemplate(
    sections=[
        Section(name="A", grade="VIP", rows=1, seats_per_row=2),
        Section(name="B", grade="S", rows=1, seats_per_row=2),
    ]
)


def proposal(**changes: Any) -> EventProposal:
    return EventProposal.model_validate(
        {
            "title": "Concert",
            "artist": "Artist",
            "venueId": UUID(int=1),
            "hallId": UUID(int=2),
            "saleStartsAt": "2026-12-01T11:00:00Z",
            "saleEndsAt": "2027-01-15T09:00:00Z",
            "startsAt": "2027-01-15T10:00:00Z",
            "endsAt": "2027-01-15T12:00:00Z",
            "prices": {"VIP": 150_000, "S": 120_000},
            **changes,
        }
    )


def faults(rejected: EventProposal) -> set[str]:
    with pytest.raises(DomainError) as raised:
        rejected.check(HALL)
    assert type(raised.value) is InvalidInput
    return {fault["field"] for fault in raised.value.details}


def test_by_default_an_event_admits_ten_a_second_and_sells_at_most_four_seats() -> None:
    proposed = proposal()
    proposed.check(HALL)
    assert (proposed.admission_per_second, proposed.queue_capacity, proposed.max_seats) == (10, 50_000, 4)
    assert proposed.max_seats_per == "PERSON"


def test_every_grade_of_the_hall_needs_a_price() -> None:
    assert faults(proposal(prices={"VIP": 150_000})) == {"prices.S"}


def test_a_price_for_a_grade_the_hall_does_not_have_is_rejected() -> None:
    assert faults(proposal(prices={"VIP": 3, "S": 2, "B": 1})) == {"prices.B"}


def test_an_event_ends_after_it_starts() -> None:
    assert "endsAt" in faults(proposal(endsAt="2027-01-15T10:00:00Z"))


def test_a_sale_ends_after_it_starts() -> None:
    assert faults(proposal(saleEndsAt="2026-12-01T11:00:00Z")) == {"saleEndsAt"}


def test_a_sale_may_run_until_the_event_ends_and_no_longer() -> None:
    proposal(saleEndsAt="2027-01-15T12:00:00Z").check(HALL)
    assert faults(proposal(saleEndsAt="2027-01-15T12:00:01Z")) == {"saleEndsAt"}


def test_all_faults_are_reported_together() -> None:
    wrong = proposal(endsAt="2027-01-15T10:00:00Z", saleEndsAt="2026-11-01T00:00:00Z", prices={"S": 1, "A": 1})
    assert faults(wrong) == {"endsAt", "saleEndsAt", "prices.VIP", "prices.A"}


@pytest.mark.parametrize(
    "change",
    [
        {"prices": {"ROYAL": 1}},
        {"prices": {"VIP": -1}},
        {"prices": {"VIP": 500_000_001}},
        {"prices": {"VIP": True}},
        {"prices": {"VIP": "1000"}},
        {"title": "   "},
        {"title": "x" * 201},
        {"description": "x" * 2001},
        {"maxSeats": 0},
        {"maxSeats": 5},
        {"admissionPerSecond": 1001},
        {"queueCapacity": 50_001},
        {"startsAt": "2027-01-15T10:00:00"},
        {"startsAt": "1999-12-31T23:59:59Z"},
        {"startsAt": "2200-01-01T00:00:00Z"},
    ],
)
def test_a_value_out_of_bounds_is_rejected(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        proposal(**change)


def test_times_are_converted_to_utc() -> None:
    assert proposal(startsAt="2027-01-15T19:00:00+09:00").starts_at == datetime(2027, 1, 15, 10, tzinfo=UTC)
    assert proposal(startsAt="2027-01-15T19:00:00+09:00").starts_at.tzinfo is UTC
