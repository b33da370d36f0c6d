"""The events service's functions as Lambda calls them, from the sample events to the rows and back."""

import json
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import psycopg
import pytest
from moto import mock_aws

from common import postgres
from common.clock import new_id, utc_now
from common.postgres import Database
from functions.events import composition, on_reservation_event
from seed.event import EVENT_ID, HALL_ID, VENUE_ID, seed_event

SAMPLES = Path(__file__).parents[2] / "events"
SAMPLE_KEY = "00000000-0000-4000-8000-000000000000"
Event = dict[str, Any]


def sample(function: str) -> Event:
    event: Event = json.loads((SAMPLES / f"events_{function}.json").read_text(encoding="utf-8"))
    return event


def call(function: str, event: Event) -> Event:
    handlers: ModuleType = import_module(f"functions.events.{function}")
    answer: Event = handlers.handler(event, None)
    return answer


def answered(answer: Event) -> tuple[int, Any]:
    return answer["statusCode"], json.loads(answer["body"])


def forget() -> None:
    for built in (postgres.database, composition.venues, composition.events, composition.seats):
        built.cache_clear()
    on_reservation_event.consumer.cache_clear()


@pytest.fixture(autouse=True)
def _deployed(
    postgres_url: str, database_of: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The functions' environment and secrets as template.yaml gives them, over the seeded event."""
    address = psycopg.conninfo.conninfo_to_dict(postgres_url)
    for name, setting in {
        "DATABASE_HOST": address["host"],
        "DATABASE_PORT": address["port"],
        "DATABASE_NAME": address["dbname"],
        "DATABASE_USER": "event_service",
        "DATABASE_SSLMODE": "disable",
        "SECRETS_PREFIX": f"test-{new_id()}/",
        "AWS_DEFAULT_REGION": "ap-northeast-2",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, str(setting))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    seed_event(database_of("event_service"), utc_now())
    forget()
    with mock_aws():
        manager = boto3.client("secretsmanager")
        for name, value in {
            "database/event_service": {"password": "test-only"},
            "service-keys": {"reservations": [SAMPLE_KEY], "queue": [SAMPLE_KEY]},
        }.items():
            manager.create_secret(Name=os.environ["SECRETS_PREFIX"] + name, SecretString=json.dumps(value))
        yield
        if postgres.database.cache_info().currsize:  # a test that was refused at the edge never connected
            postgres.database().close()
    forget()


@pytest.mark.parametrize(
    ("function", "status"),
    [
        ("venue_create", 201),
        ("venue_list", 200),
        ("venue_detail", 200),
        ("hall_create", 201),
        ("event_create", 201),
        ("event_list", 200),
        ("event_detail", 200),
        ("event_seats", 200),
    ],
)
def test_a_sample_event_is_answered(function: str, status: int) -> None:
    assert answered(call(function, sample(function)))[0] == status


@pytest.mark.parametrize("function", ["seat_status", "seat_catalogue", "sale_terms"])
def test_a_sample_internal_call_is_answered(function: str) -> None:
    assert call(function, sample(function))["body"]["eventId"] == str(EVENT_ID)


def test_the_sample_batch_is_consumed() -> None:
    assert call("on_reservation_event", sample("on_reservation_event")) == {"batchItemFailures": []}


def test_every_function_has_a_sample() -> None:
    modules = Path(str(composition.__file__)).parent.glob("*.py")
    functions = {path.stem for path in modules if "\ndef handler(" in path.read_text(encoding="utf-8")}
    assert {path.stem.removeprefix("events_") for path in SAMPLES.glob("events_*.json")} == functions


def test_an_events_json_is_the_one_of_the_contract() -> None:
    _, event = answered(call("event_create", sample("event_create")))
    assert event | {"id": "-", "status": "-"} == {
        "id": "-",
        "title": "겨울밤의 콘서트",
        "artist": "한강 필하모닉",
        "description": "앙코르 공연",
        "status": "-",
        "venueId": str(VENUE_ID),
        "venueName": "한빛아트센터",
        "city": "서울",
        "hallId": str(HALL_ID),
        "hallName": "콘서트홀",
        "startsAt": "2027-01-15T10:00:00Z",
        "endsAt": "2027-01-15T12:00:00Z",
        "saleStartsAt": "2026-12-01T11:00:00Z",
        "saleEndsAt": "2027-01-15T09:00:00Z",
        "prices": {"VIP": 150000, "S": 120000, "A": 90000},
        "admissionPerSecond": 10,
        "queueCapacity": 50000,
        "maxSeats": 4,
        "seatCount": 200,
    }
    status, detail = answered(call("event_detail", sample("event_detail") | {"pathParameters": {"id": event["id"]}}))
    assert status == 200
    assert detail.items() >= event.items()
    assert detail["remaining"] == {"VIP": 40, "S": 60, "A": 100}
    assert detail["hall"] == {"id": str(HALL_ID), "name": "콘서트홀", "capacity": 200}


@pytest.mark.parametrize("function", ["venue_create", "hall_create", "event_create"])
def test_only_an_admin_writes(function: str) -> None:
    event = sample(function)
    event["requestContext"]["authorizer"]["role"] = "USER"
    assert answered(call(function, event))[0] == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": "\x00"}, "title"),
        ({"prices": {"VIP": 1, "S": 1}}, "prices.A"),
        ({"prices": {"VIP": 1e400, "S": 1, "A": 1}}, "prices.VIP"),
        ({"prices": None}, "prices"),
        ({"startsAt": "0001-01-01T00:00:00+23:59"}, "startsAt"),
        ({"endsAt": "9999-12-31T23:59:59-23:59"}, "endsAt"),
        ({"saleStartsAt": 10**30}, "saleStartsAt"),
        ({"maxSeats": 4.5}, "maxSeats"),
        ({"venueId": "not-a-uuid"}, "venueId"),
    ],
)
def test_an_event_that_makes_no_sense_is_refused_by_field(change: Event, field: str) -> None:
    event = sample("event_create")
    status, refusal = answered(call("event_create", event | {"body": json.dumps(json.loads(event["body"]) | change)}))
    assert (status, refusal["code"]) == (400, "VALIDATION_ERROR")
    assert field in {fault["field"] for fault in refusal["details"]}


@pytest.mark.parametrize("body", ["", "[]", "null", "{", '{"seatTemplate": {"sections": 1}}', '"\\ud800"'])
@pytest.mark.parametrize("function", ["venue_create", "hall_create", "event_create"])
def test_no_body_makes_a_500(function: str, body: str) -> None:
    assert answered(call(function, sample(function) | {"body": body}))[0] == 400


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
def test_a_search_that_makes_no_sense_is_refused(query: dict[str, str]) -> None:
    assert answered(call("event_list", sample("event_list") | {"queryStringParameters": query}))[0] == 400


@pytest.mark.parametrize(
    "query", [None, {}, {"q": ""}, {"q": "%_\\'"}, {"page": "1000000"}, {"from": "2026-01-01T00:00:00+23:59"}]
)
def test_an_odd_search_finds_what_it_finds(query: dict[str, str] | None) -> None:
    status, page = answered(call("event_list", sample("event_list") | {"queryStringParameters": query}))
    assert status == 200
    assert page.keys() == {"items", "page", "size", "total"}


@pytest.mark.parametrize("function", ["venue_detail", "event_detail", "event_seats", "hall_create"])
@pytest.mark.parametrize("name", ["no-uuid", "00000000-0000-0000-0000-000000000000", "\x00"])
def test_what_there_is_not_is_not_found(function: str, name: str) -> None:
    assert answered(call(function, sample(function) | {"pathParameters": {"id": name}}))[0] == 404


@pytest.mark.parametrize("function", ["seat_status", "seat_catalogue", "sale_terms"])
def test_an_internal_call_needs_a_known_services_key_and_a_known_event(function: str) -> None:
    asked = sample(function)
    stranger = asked | {"headers": asked["headers"] | {"X-Service-Api-Key": str(new_id())}}
    assert call(function, stranger)["refusal"]["code"] == "SERVICE_KEY_INVALID"
    assert call(function, asked | {"body": {"eventId": str(new_id())}})["refusal"]["code"] == "NOT_FOUND"
    assert call(function, asked | {"body": {}})["refusal"]["code"] == "VALIDATION_ERROR"


def test_the_catalogue_is_asked_for_four_seats_at_most() -> None:
    asked = sample("seat_catalogue")
    five = {"eventId": str(EVENT_ID), "seatIds": [str(new_id()) for _ in range(5)]}
    assert call("seat_catalogue", asked | {"body": five})["refusal"]["code"] == "VALIDATION_ERROR"
