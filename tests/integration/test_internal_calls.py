"""Internal calls: a timeout of 3 s, and one retry for reads only (docs/requirements.md, INT)."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from common.contracts.internal_call import InternalCaller
from common.contracts.sold_seats import SoldSeatsRequest, SoldSeatsResponse
from common.domain.clock import new_id
from common.domain.ids import EventId
from common.domain.shared_errors import DomainError, ServiceUnavailable
from common.wiring.internal_caller import lambda_client

EVENT_ID = new_id()
HANGS, FAILS, ANSWERS = "hangs", "fails", "answers"


class Endpoint:
    """A Lambda Invoke endpoint that handles each call as the next item of `behaviour` says."""

    def __init__(self) -> None:
        self.behaviour: list[str] = []
        self.calls = 0
        self.over = threading.Event()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.calls += 1
                action = endpoint.behaviour.pop(0)
                if action == HANGS:
                    endpoint.over.wait(20)
                body = json.dumps({"body": {"eventId": str(EVENT_ID), "soldSeatIds": []}}).encode()
                self.send_response(500 if action == FAILS else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    made = Endpoint()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL_LAMBDA": made.url,
        "AWS_DEFAULT_REGION": "ap-northeast-2",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    lambda_client.cache_clear()
    yield made
    lambda_client.cache_clear()
    made.over.set()
    made.server.shutdown()
    thread.join(10)
    made.server.server_close()


def sold_seats(*, read: bool) -> SoldSeatsResponse:
    call = InternalCaller("reservations", lambda_client, lambda: "key")
    return call("SeatStatus", SoldSeatsRequest(event_id=EventId(EVENT_ID)), SoldSeatsResponse, read=read)


def unavailable_after(call: Callable[[], object]) -> float:
    began = time.monotonic()
    with pytest.raises(DomainError) as raised:
        call()
    assert type(raised.value) is ServiceUnavailable
    return time.monotonic() - began


@pytest.mark.parametrize("first", [HANGS, FAILS])
def test_a_failed_read_is_retried_once(endpoint: Endpoint, first: str) -> None:
    endpoint.behaviour = [first, ANSWERS]
    assert sold_seats(read=True).sold_seat_ids == []
    assert endpoint.calls == 2


@pytest.mark.measures_time(reason="two tries of 3 s end within 12")
def test_an_unanswered_read_fails_after_the_second_try(endpoint: Endpoint) -> None:
    endpoint.behaviour = [HANGS, HANGS, ANSWERS]
    assert 6 <= unavailable_after(lambda: sold_seats(read=True)) < 12
    assert endpoint.calls == 2


@pytest.mark.measures_time(reason="one try of 3 s ends within 6")
def test_a_write_is_not_retried(endpoint: Endpoint) -> None:
    endpoint.behaviour = [HANGS, ANSWERS]
    assert 3 <= unavailable_after(lambda: sold_seats(read=False)) < 6
    assert endpoint.calls == 1
