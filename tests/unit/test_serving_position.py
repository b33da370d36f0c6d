"""GET /queue/serving/{eventId}: caches may keep both responses for a second."""

import json
from typing import Any
from uuid import uuid4

import pytest

from common.domain.ids import EventId
from common.domain.shared_errors import NotFound
from functions.queue import wiring
from functions.queue.domain.queue_speed import QueueSpeed
from functions.queue.domain.queue_stats import ServingPosition
from functions.queue.handlers import read_serving_position

EVENT = uuid4()


class Queue:
    def __init__(self, found: ServingPosition | None) -> None:
        self.found = found

    def serving_position(self, event_id: EventId) -> ServingPosition:
        assert event_id == EVENT
        if self.found is None:
            raise NotFound()
        return self.found


def answer(monkeypatch: pytest.MonkeyPatch, found: ServingPosition | None) -> tuple[int, dict[str, Any], str]:
    monkeypatch.setattr(wiring, "read_queue", lambda: Queue(found))
    made = read_serving_position.handler({"pathParameters": {"eventId": str(EVENT)}, "headers": {}}, None)
    return made["statusCode"], json.loads(made["body"]), made["headers"]["Cache-Control"]


def test_a_known_queue_may_be_served_stale_while_it_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ServingPosition("OPEN", front=7, admitted=3, waiting=2, speed=QueueSpeed(9.999, 0.0))
    status, body, cache_control = answer(monkeypatch, found)
    assert (status, body["serving"], body["admissionPerSecond"]) == (200, 7, 10.0)
    assert cache_control == "public, max-age=1, s-maxage=1, stale-while-revalidate=2, stale-if-error=10"


def test_an_unknown_queue_is_not_found_and_cached_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    status, body, cache_control = answer(monkeypatch, None)
    assert (status, body["code"], cache_control) == (404, "NOT_FOUND", "public, max-age=1, s-maxage=1")
