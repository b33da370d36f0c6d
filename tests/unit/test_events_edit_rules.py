"""What can be changed of an event, and when (EVT-002); which versions an edit expects (If-Match)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from common.domain.shared_errors import DomainError
from common.http.request import Request
from functions.events.domain.entity_tag import etag
from functions.events.domain.errors import PreconditionFailed, SaleStarted
from functions.events.domain.event_edit import AFTER_SALE_START, EventEdit, changed_fields, check_in_time
from functions.events.domain.event_proposal import EventProposal
from functions.events.handlers.preconditions import expected_versions

SALE = datetime(2026, 12, 1, 11, tzinfo=UTC)
BEFORE = EventProposal.model_validate(
    {
        "title": "Concert",
        "artist": "Artist",
        "venueId": "01900000-0000-7000-8000-000000000001",
        "hallId": "01900000-0000-7000-8000-000000000002",
        "saleStartsAt": SALE,
        "saleEndsAt": SALE + timedelta(days=40),
        "startsAt": SALE + timedelta(days=45),
        "endsAt": SALE + timedelta(days=45, hours=2),
        "prices": {"VIP": 150_000},
    }
)
OTHER: dict[str, Any] = {
    "title": "Encore",
    "artist": "Another",
    "description": "Again",
    "venueId": "01900000-0000-7000-8000-000000000009",
    "hallId": "01900000-0000-7000-8000-000000000008",
    "startsAt": SALE + timedelta(days=46),
    "endsAt": SALE + timedelta(days=46, hours=2),
    "saleStartsAt": SALE + timedelta(days=1),
    "saleEndsAt": SALE + timedelta(days=41),
    "prices": {"VIP": 1},
    "admissionPerSecond": 11,
    "queueCapacity": 49_999,
    "maxSeats": 1,
    "maxSeatsPer": "RESERVATION",
}


def changed_by(**edit: Any) -> set[str]:
    return set(changed_fields(BEFORE, EventEdit.model_validate(edit).applied_to(BEFORE)))


def test_a_field_that_is_left_out_stays_as_it_is() -> None:
    assert EventEdit.model_validate({"title": "Encore"}).applied_to(BEFORE) == BEFORE.model_copy(
        update={"title": "Encore"}
    )
    assert changed_by() == set()
    assert changed_by(title="Concert", maxSeats=4) == set()


@pytest.mark.parametrize("field", OTHER)
def test_any_field_may_change_before_the_sale_and_five_after(field: str) -> None:
    changed = changed_by(**{field: OTHER[field]})
    assert len(changed) == 1
    check_in_time(changed, SALE, SALE - timedelta(microseconds=1))
    if field in ("title", "description", "saleEndsAt", "admissionPerSecond", "queueCapacity"):
        assert changed <= AFTER_SALE_START
        check_in_time(changed, SALE, SALE)
    else:
        with pytest.raises(DomainError) as raised:
            check_in_time(changed, SALE, SALE)
        assert (type(raised.value), raised.value.details) == (SaleStarted, {"fields": [field]})


@pytest.mark.parametrize("field", OTHER)
def test_no_field_can_become_null(field: str) -> None:
    with pytest.raises(ValidationError):
        EventEdit.model_validate({field: None})


def request(**headers: str) -> Request:
    return Request({}, {name.replace("_", "-"): value for name, value in headers.items()}, "trace")


@pytest.mark.parametrize("if_match", [None, "*", '"3"', '"3-abc"', '"1", "3"', 'W/"3-abc"'])
def test_an_edit_of_the_current_version_or_of_any_version_succeeds(if_match: str | None) -> None:
    expected_versions(request(**({} if if_match is None else {"if_match": if_match}))).check(3)


@pytest.mark.parametrize("if_match", ['"2"', '"33"', '"3', "3", "", '"abc"', '"2-3"'])
def test_an_edit_of_another_version_is_stale(if_match: str) -> None:
    with pytest.raises(DomainError) as raised:
        expected_versions(request(if_match=if_match)).check(3)
    assert type(raised.value) is PreconditionFailed


def test_the_tag_of_a_response_names_its_version_for_the_next_edit() -> None:
    for tag in (etag(7), etag(7, "what it says")):
        expected_versions(request(if_match=tag)).check(7)
    assert etag(7, "what it says") != etag(7, "something else")
