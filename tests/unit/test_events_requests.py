"""What the events service rejects before it calls any store: no store runs in these tests."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parents[2] / "events"
Event = dict[str, Any]


def sample(function: str) -> Event:
    event: Event = json.loads((SAMPLES / f"{function}.json").read_text(encoding="utf-8"))
    return event


def respond(function: str, event: Event) -> tuple[int, Any]:
    answer = import_module(f"functions.events.handlers.{function}").handler(event, None)
    return answer["statusCode"], json.loads(answer["body"])


WRITES = [
    "create_venue",
    "edit_venue",
    "delete_venue",
    "create_hall",
    "edit_hall",
    "delete_hall",
    "create_event",
    "edit_event",
    "delete_event",
    "cancel_event",
    "read_cancellation",
    "reschedule_event",
]


@pytest.mark.parametrize("function", WRITES)
def test_only_an_admin_writes(function: str) -> None:
    event = sample(function)
    event["requestContext"]["authorizer"]["role"] = "USER"
    assert respond(function, event)[0] == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": "\x00"}, "title"),
        ({"prices": {"VIP": 1e400, "S": 1, "A": 1}}, "prices.VIP"),
        ({"prices": None}, "prices"),
        ({"startsAt": "0001-01-01T00:00:00+23:59"}, "startsAt"),
        ({"endsAt": "9999-12-31T23:59:59-23:59"}, "endsAt"),
        ({"saleStartsAt": 10**30}, "saleStartsAt"),
        ({"maxSeats": 4.5}, "maxSeats"),
        ({"maxSeatsPer": "ADMISSION"}, "maxSeatsPer"),
        ({"venueId": "not-a-uuid"}, "venueId"),
    ],
)
def test_an_invalid_event_is_rejected_by_field(change: Event, field: str) -> None:
    event = sample("create_event")
    body = json.loads(event["body"]) | change
    status, raised = respond("create_event", event | {"body": json.dumps(body)})
    assert (status, raised["code"]) == (400, "VALIDATION_ERROR")
    assert field in {fault["field"] for fault in raised["details"]}


@pytest.mark.parametrize(
    "body", ["", "[]", "null", "{", '{"seatTemplate": {"sections": 1}, "name": 1, "title": 1}', '"\\ud800"']
)
@pytest.mark.parametrize(
    "function",
    [
        "create_venue",
        "edit_venue",
        "create_hall",
        "edit_hall",
        "create_event",
        "edit_event",
        "cancel_event",
        "reschedule_event",
    ],
)
def test_no_body_causes_a_500(function: str, body: str) -> None:
    assert respond(function, sample(function) | {"body": body})[0] == 400


@pytest.mark.parametrize(
    "query",
    [
        {"page": "-1"},
        {"page": "99999999999999999999"},
        {"size": "101"},
        {"status": "OPEN"},
        {"sort": "price"},
        {"q": "\x00"},
        {"q": "x" * 101},
        {"from": "yesterday"},
        {"to": "0001-01-01T00:00:00+23:59"},
    ],
)
def test_an_invalid_search_is_rejected(query: dict[str, str]) -> None:
    assert respond("list_events", sample("list_events") | {"queryStringParameters": query})[0] == 400


@pytest.mark.parametrize(
    "function",
    [
        "read_venue",
        "edit_venue",
        "delete_venue",
        "create_hall",
        "edit_hall",
        "delete_hall",
        "read_event",
        "list_seats",
        "read_seat_layout",
        "list_seat_statuses",
        "edit_event",
        "delete_event",
        "cancel_event",
        "read_cancellation",
        "reschedule_event",
    ],
)
@pytest.mark.parametrize("name", ["no-uuid", "\x00"])
def test_a_malformed_id_is_not_found(function: str, name: str) -> None:
    assert respond(function, sample(function) | {"pathParameters": {"id": name, "hallId": name}})[0] == 404
