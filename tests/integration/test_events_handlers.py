"""The events service's functions as Lambda calls them, from the sample events to the stores."""

import json
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import boto3
import psycopg
import pytest
from moto import mock_aws

from common.contracts.live_seats import LiveSeatsResponse
from common.contracts.refund_counts import RefundCountsResponse
from common.contracts.reservation_counts import ReservationCountsResponse
from common.domain.clock import new_id, utc_now
from common.domain.ids import EventId
from common.stores.postgres import Database
from common.stores.redis import Client
from common.wiring.database import database, reader
from common.wiring.redis_client import redis_client
from functions.events.wiring import administration, reading, repositories, seat_sales, venues
from local.seed.event import EVENT_ID, HALL_ID, VENUE_ID, seed_event

SAMPLES = Path(__file__).parents[2] / "events"
SAMPLE_KEY = "00000000-0000-4000-8000-000000000000"
Event = dict[str, Any]


def sample(function: str) -> Event:
    event: Event = json.loads((SAMPLES / f"{function}.json").read_text(encoding="utf-8"))
    return event


def call(function: str, event: Event) -> Event:
    handlers: ModuleType = import_module(f"functions.events.handlers.{function}")
    response: Event = handlers.handler(event, None)
    return response


def status_and_body(response: Event) -> tuple[int, Any]:
    return response["statusCode"], json.loads(response["body"])


class FakeServices:
    """Reservations and payments of an event with `live` reservations."""

    live = 0

    def counts(self, event_id: UUID) -> ReservationCountsResponse:
        return ReservationCountsResponse(
            event_id=EventId(event_id),
            pending=0,
            confirmed=self.live,
            event_cancelled=0,
            refund_amount=0,
            seen_through=True,
        )

    def refunds(self, event_id: UUID) -> RefundCountsResponse:
        return RefundCountsResponse(event_id=EventId(event_id), due=0, done=0, amount_due=0, amount_done=0)

    def live_seats(self, event_id: UUID, _after: UUID | None) -> LiveSeatsResponse:
        return LiveSeatsResponse(event_id=EventId(event_id), seats=[], holds=[], more_after=None)


def clear_caches() -> None:
    database.cache_clear()
    reader.cache_clear()
    redis_client.cache_clear()
    for module in (administration, reading, repositories, seat_sales, venues):
        for factory in vars(module).values():
            if hasattr(factory, "cache_clear"):
                factory.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def _aws() -> Iterator[None]:
    """One Secrets Manager for all tests; each test has its own prefix."""
    with mock_aws():
        yield


@pytest.fixture(autouse=True)
def _deployed(
    postgres_url: str,
    database_of: Callable[[str], Database],
    redis: Client,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """The functions' environment and secrets as template.yaml gives them, over the seeded event."""
    address = psycopg.conninfo.conninfo_to_dict(postgres_url)
    for name, setting in {
        "DATABASE_HOST": address["host"],
        "DATABASE_PORT": address["port"],
        "DATABASE_NAME": address["dbname"],
        "DATABASE_USER": "event_service",
        "DATABASE_SSLMODE": "disable",
        "REDIS_URL": redis_url,
        "REDIS_CLUSTER": "false",
        "SECRETS_PREFIX": f"test-{new_id()}/",
        "AWS_DEFAULT_REGION": "ap-northeast-2",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, str(setting))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    seed_event(database_of("event_service"), utc_now())
    clear_caches()
    monkeypatch.setattr(administration, "reservations_client", FakeServices)
    monkeypatch.setattr(administration, "payments_client", FakeServices)
    monkeypatch.setattr(seat_sales, "live_seats_client", FakeServices)
    manager = boto3.client("secretsmanager")
    for name, value in {
        "database/event_service": {"password": "test-only"},
        "service-keys": {"reservations": [SAMPLE_KEY], "queue": [SAMPLE_KEY]},
    }.items():
        manager.create_secret(Name=os.environ["SECRETS_PREFIX"] + name, SecretString=json.dumps(value))
    yield
    if database.cache_info().currsize:  # a request that is rejected early does not connect
        database().close()
    clear_caches()


@pytest.mark.parametrize(
    ("function", "status"),
    [
        ("create_venue", 201),
        ("list_venues", 200),
        ("read_venue", 200),
        ("create_hall", 201),
        ("create_event", 201),
        ("list_events", 200),
        ("read_event", 200),
        ("list_seats", 200),
        ("read_seat_layout", 200),
        ("list_seat_statuses", 200),
        ("edit_venue", 200),
        ("edit_hall", 200),
        ("edit_event", 200),
        ("cancel_event", 202),
        ("delete_venue", 409),
        ("delete_hall", 409),
        ("read_cancellation", 404),
        ("reschedule_event", 200),
    ],
)
def test_a_sample_event_gets_its_status(function: str, status: int) -> None:
    assert status_and_body(call(function, sample(function)))[0] == status


@pytest.mark.parametrize("function", ["list_sold_seats", "read_seat_catalogue", "read_sale_terms"])
def test_a_sample_internal_call_gets_a_response(function: str) -> None:
    assert call(function, sample(function))["body"]["eventId"] == str(EVENT_ID)


def test_the_seeded_event_is_deleted_unless_it_has_a_reservation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeServices, "live", 1)
    status, error = status_and_body(call("delete_event", sample("delete_event")))
    assert (status, error["code"]) == (409, "EVENT_HAS_RESERVATIONS")
    monkeypatch.setattr(FakeServices, "live", 0)
    assert call("delete_event", sample("delete_event"))["statusCode"] == 204
    assert call("read_event", sample("read_event"))["statusCode"] == 404


def test_a_reconciliation_without_findings_emits_zeros(capsys: pytest.CaptureFixture[str]) -> None:
    import_module("functions.events.handlers.reconcile_seats").handler(sample("reconcile_seats"), None)
    (metrics,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "oversold_seats" in line]
    assert (metrics["oversold_seats"], metrics["orphan_holds"], metrics["events_not_reconciled"]) == ([0], [0], [0])


@pytest.mark.parametrize(
    "function", ["list_events", "read_event", "list_seats", "read_seat_layout", "list_seat_statuses"]
)
def test_a_client_that_has_the_response_gets_304_without_a_body(function: str) -> None:
    first = call(function, sample(function))
    tag = first["headers"]["ETag"]
    again = sample(function)
    for known in (tag, f'"other", W/{tag}'):
        again["headers"]["If-None-Match"] = known
        received = call(function, again)
        assert (received["statusCode"], received["body"], received["headers"]["ETag"]) == (304, "", tag)
    again["headers"]["If-None-Match"] = '"other"'
    assert call(function, again) | {"headers": None} == first | {"headers": None}


def test_a_changed_response_has_another_tag() -> None:
    tags = {name: call(name, sample(name))["headers"]["ETag"] for name in ("list_events", "read_event")}
    call("edit_event", sample("edit_event"))
    for name, tag in tags.items():
        again = sample(name)
        again["headers"]["If-None-Match"] = tag
        assert call(name, again)["statusCode"] == 200


@pytest.mark.parametrize(
    ("read", "write"),
    [("read_event", "edit_event"), ("read_venue", "edit_venue"), ("read_event", "delete_event")],
)
def test_an_edit_with_the_tag_that_was_read_succeeds_once(read: str, write: str) -> None:
    edit = sample(write)
    edit["headers"]["If-Match"] = '"99"'
    status, error = status_and_body(call(write, edit))
    assert (status, error["code"]) == (412, "PRECONDITION_FAILED")
    edit["headers"]["If-Match"] = call(read, sample(read))["headers"]["ETag"]
    done = call(write, edit)
    assert done["statusCode"] in (200, 204)
    if write.startswith("edit"):
        assert status_and_body(call(write, edit))[0] == 412
        edit["headers"]["If-Match"] = done["headers"]["ETag"]
        assert status_and_body(call(write, edit))[0] == 200


def test_after_the_sale_has_started_other_fields_are_rejected() -> None:
    edit = sample("edit_event")
    status, error = status_and_body(call("edit_event", edit | {"body": '{"artist": "Other", "title": "New"}'}))
    assert (status, error["code"], error["details"]) == (409, "SALE_STARTED", {"fields": ["artist"]})


def test_layout_and_statuses_describe_the_same_seats_as_the_list() -> None:
    _, plain = status_and_body(call("list_seats", sample("list_seats")))
    _, layout = status_and_body(call("read_seat_layout", sample("read_seat_layout")))
    _, statuses = status_and_body(call("list_seat_statuses", sample("list_seat_statuses")))
    width = 32 - len(layout["idPrefix"])
    ids = [
        str(UUID(layout["idPrefix"] + layout["idSuffixes"][at : at + width]))
        for at in range(0, len(layout["idSuffixes"]), width)
    ]
    numbers = [
        f"{section['name']}-{row}-{seat}"
        for section in layout["sections"]
        for row in range(1, section["rows"] + 1)
        for seat in range(1, section["seatsPerRow"] + 1)
    ]
    shown = [(seat["id"], seat["number"]) for grade in plain["grades"] for seat in grade["seats"]]
    assert sorted(zip(ids, numbers, strict=True)) == sorted(shown)
    assert (statuses["seatCount"], statuses["soldCount"], len(statuses["sold"])) == (200, 0, 36)


def test_a_layout_requested_by_version_can_be_stored_for_a_day() -> None:
    request = sample("read_seat_layout")
    assert call("read_seat_layout", request)["headers"]["Cache-Control"] == "no-cache"
    request["queryStringParameters"] = {"version": "1"}
    assert call("read_seat_layout", request)["headers"]["Cache-Control"] == "public, max-age=86400"
    request["queryStringParameters"] = {"version": "2"}
    assert call("read_seat_layout", request)["headers"]["Cache-Control"] == "no-cache"


def test_the_sample_batch_is_consumed() -> None:
    assert call("update_seat_sales", sample("update_seat_sales")) == {"batchItemFailures": []}


def test_an_event_has_the_json_of_the_contract() -> None:
    _, event = status_and_body(call("create_event", sample("create_event")))
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
        "startsAt": "2027-01-15T10:00:00.000Z",
        "endsAt": "2027-01-15T12:00:00.000Z",
        "saleStartsAt": "2026-12-01T11:00:00.000Z",
        "saleEndsAt": "2027-01-15T09:00:00.000Z",
        "prices": {"VIP": 150000, "S": 120000, "A": 90000},
        "admissionPerSecond": 10,
        "queueCapacity": 50000,
        "maxSeats": 4,
        "maxSeatsPer": "PERSON",
        "seatCount": 200,
    }
    status, detail = status_and_body(call("read_event", sample("read_event") | {"pathParameters": {"id": event["id"]}}))
    assert status == 200
    assert detail.items() >= event.items()
    assert detail["remaining"] == {"VIP": 40, "S": 60, "A": 100}
    assert detail["hall"] == {"id": str(HALL_ID), "name": "콘서트홀", "capacity": 200}


def test_an_event_needs_a_price_for_every_grade_of_its_hall() -> None:
    event = sample("create_event")
    body = json.loads(event["body"]) | {"prices": {"VIP": 1, "S": 1}}
    status, error = status_and_body(call("create_event", event | {"body": json.dumps(body)}))
    assert (status, error["code"]) == (400, "VALIDATION_ERROR")
    assert "prices.A" in {detail["field"] for detail in error["details"]}


@pytest.mark.parametrize(
    "query", [None, {}, {"q": ""}, {"q": "%_\\'"}, {"page": "1000000"}, {"from": "2026-01-01T00:00:00+23:59"}]
)
def test_an_unusual_search_returns_a_page(query: dict[str, str] | None) -> None:
    status, page = status_and_body(call("list_events", sample("list_events") | {"queryStringParameters": query}))
    assert status == 200
    assert page.keys() == {"items", "page", "size", "total"}


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
def test_an_unknown_id_is_not_found(function: str) -> None:
    unknown = str(UUID(int=0))
    assert (
        status_and_body(call(function, sample(function) | {"pathParameters": {"id": unknown, "hallId": unknown}}))[0]
        == 404
    )


@pytest.mark.parametrize("function", ["list_sold_seats", "read_seat_catalogue", "read_sale_terms"])
def test_an_internal_call_needs_a_known_services_key_and_a_known_event(function: str) -> None:
    request = sample(function)
    other_key = request | {"headers": request["headers"] | {"X-Service-Api-Key": str(new_id())}}
    assert call(function, other_key)["error"]["code"] == "SERVICE_KEY_INVALID"
    assert call(function, request | {"body": {"eventId": str(new_id())}})["error"]["code"] == "NOT_FOUND"
    assert call(function, request | {"body": {}})["error"]["code"] == "VALIDATION_ERROR"


def test_the_catalogue_rejects_more_than_four_seats() -> None:
    request = sample("read_seat_catalogue")
    five = {"eventId": str(EVENT_ID), "seatIds": [str(new_id()) for _ in range(5)]}
    assert call("read_seat_catalogue", request | {"body": five})["error"]["code"] == "VALIDATION_ERROR"
