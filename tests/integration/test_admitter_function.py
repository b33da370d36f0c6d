"""The admitter as a function: what a run does, what it records, how runs share the queues."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from common.contracts.sale_terms import SaleTermsResponse
from common.domain.clock import utc_now
from common.domain.ids import EventId
from common.domain.shared_errors import ServiceUnavailable
from common.stores.redis import Client
from common.waitingroom.queue_keys import LIVE_QUEUES
from common.waitingroom.sale_terms_writer import SaleTermsWriter
from functions.admitter import wiring
from functions.admitter.adapters.admission_redis import AdmissionRedis
from functions.admitter.adapters.share_invoker import ShareInvoker
from functions.admitter.domain.admission import AdmissionPolicy, QueueMove, QueueShare
from functions.admitter.handlers import admit_users
from functions.admitter.usecases import admission_run
from functions.admitter.usecases.admission_run import QUEUES_A_RUN, SPARE_SECONDS, Admission, AdmissionRun
from functions.queue.adapters.queue_redis import QueueRedis
from functions.queue.domain.queue_status import Rejected
from tests.support.fixtures.waiting_room import FakeEvents, new_event, sale, waiting_users
from tests.support.fresh_wiring import forget_wiring


@dataclass
class Context:
    """A Lambda context with so many seconds left."""

    seconds: float
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:000000000000:function:Admitter"
    began: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        return int((self.began + self.seconds + SPARE_SECONDS - time.monotonic()) * 1000)


def admission_run_with(redis: Client, events: FakeEvents, admission: Admission | None = None) -> AdmissionRun:
    admission = admission or AdmissionRedis(redis, AdmissionPolicy())
    return AdmissionRun(admission, events, SaleTermsWriter(redis), ShareInvoker().invoke, utc_now)


def open_sale(event_id: EventId) -> FakeEvents:
    return FakeEvents(sale(event_id, now=datetime.now(UTC)))


@pytest.mark.measures_time(reason="expects 30 admissions within a run of 3.5 s")
def test_a_run_admits_the_rate_every_second_and_records_the_users(
    redis: Client, caplog: pytest.LogCaptureFixture
) -> None:
    event_id = new_event()
    users = waiting_users(redis, event_id, 100)
    admission_run_with(redis, open_sale(event_id)).run(Context(3.5))
    moves = [record.__dict__["line"] for record in caplog.records if record.message == "line moved"]
    recorded = [UUID(user) for move in moves for user in move["admitted"]]
    assert len(recorded) >= 30
    assert recorded == users[: len(recorded)]
    assert {move["event"] for move in moves} == {str(event_id)}


def test_waiting_users_see_sold_out_when_the_event_sells_out(redis: Client) -> None:
    event_id = new_event()
    users = waiting_users(redis, event_id, 100, rate=1)
    sold_out = FakeEvents(sale(event_id, now=datetime.now(UTC), sold_out=True, seats_left=0))
    admission_run_with(redis, sold_out).run(Context(4))
    status = QueueRedis(redis).read_status(event_id, users[-1], datetime.now(UTC))
    assert status == Rejected("SOLD_OUT", keeps_place=True)


def test_no_user_is_admitted_to_a_deleted_event(redis: Client) -> None:
    event_id = new_event()
    users = waiting_users(redis, event_id, 100, rate=1)
    admission_run_with(redis, FakeEvents(None)).run(Context(4))
    queue = QueueRedis(redis)
    assert queue.read_status(event_id, users[-1], datetime.now(UTC)) == Rejected("CLOSED", keeps_place=True)
    assert queue.live_queues(datetime.now(UTC)) == []


class UnavailableEvents(FakeEvents):
    """The events service while it is unavailable."""

    def sale_terms(self, event_id: EventId) -> SaleTermsResponse:
        time.sleep(1)  # a call to an unavailable service takes at least this long
        raise ServiceUnavailable()


@pytest.mark.measures_time(reason="expects 30 admissions within a run of 3.5 s")
def test_admission_goes_on_while_the_events_service_is_unavailable_or_slow(redis: Client) -> None:
    event_id = new_event()
    waiting_users(redis, event_id, 100)
    admission_run_with(redis, UnavailableEvents(None)).run(Context(3.5))
    assert QueueRedis(redis).stats([event_id], datetime.now(UTC))[0].admitted >= 30


def add_live_queues(redis: Client, count: int) -> None:
    ends = datetime.now(UTC).timestamp() + 3600
    redis.zadd(LIVE_QUEUES, {str(new_event()): ends for _ in range(count)})


def test_more_queues_than_one_run_can_move_are_shared_with_others(
    redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_live_queues(redis, QUEUES_A_RUN * 2 + 1)
    invoked: list[dict[str, Any]] = []

    class Lambda:
        def invoke(self, **arguments: Any) -> None:
            invoked.append(arguments)

    monkeypatch.setattr("boto3.client", lambda _: Lambda())
    run, context = admission_run_with(redis, FakeEvents(None)), Context(0)
    monkeypatch.setattr(wiring, "admission_run", lambda: run)
    admit_users.handler({}, context)
    assert [json.loads(each["Payload"])["share"] for each in invoked] == [
        {"number": 1, "of": 3},
        {"number": 2, "of": 3},
    ]
    called = {(each["InvocationType"], each["FunctionName"]) for each in invoked}
    assert called == {("Event", context.invoked_function_arn)}
    invoked.clear()
    admit_users.handler({"share": {"number": 1, "of": 3}}, Context(0))
    assert invoked == [], "a share is not shared again"


def test_a_share_that_could_not_be_invoked_does_not_stop_the_others(
    redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_live_queues(redis, QUEUES_A_RUN * 2 + 1)
    invoked: list[int] = []

    class Lambda:
        def invoke(self, **arguments: Any) -> None:
            invoked.append(json.loads(arguments["Payload"])["share"]["number"])
            if invoked == [1]:
                raise ConnectionError("throttled")

    monkeypatch.setattr("boto3.client", lambda _: Lambda())
    assert admission_run_with(redis, FakeEvents(None)).split("arn") == QueueShare(0, 3)
    assert invoked == [1, 2]


class SlowAdmission:
    """Reports at the end of every second that its queue could have admitted more users."""

    def __init__(self, event_id: EventId) -> None:
        self._queues = [event_id]

    def live_queues(self, _now: datetime) -> list[EventId]:
        return self._queues

    def unfilled(self, queues: Iterable[EventId]) -> list[EventId]:
        return list(queues)

    def tick(self, _queues: Iterable[EventId]) -> list[QueueMove]:
        return []

    def delete_closed_queues(self, _now: datetime) -> int:
        return 0


@pytest.mark.parametrize("late", [False, True])
def test_a_metric_counts_the_queues_that_fall_behind_their_rate(
    late: bool, redis: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alarms AdmissionBelowRate and AdmissionStopped read it."""
    event_id = new_event()
    waiting_users(redis, event_id, 100)
    emitted: list[dict[str, Any]] = []
    monkeypatch.setattr(admission_run, "emit", lambda _dimensions, **metrics: emitted.append(metrics))
    monkeypatch.setattr(admission_run, "REPORT_SECONDS", 1)
    admission_run_with(redis, open_sale(event_id), SlowAdmission(event_id) if late else None).run(Context(4))
    reports = [each for each in emitted if "LinesBehind" in each]
    assert sum(each["SecondsTicked"] for each in reports) >= 2
    assert (sum(each["LinesBehind"] for each in reports) > 0) == late


@pytest.fixture
def unavailable_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The function's own environment and wiring, with a Redis Cluster that does not answer."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9")
    monkeypatch.setenv("REDIS_CLUSTER", "true")
    monkeypatch.setenv("SALE_TERMS_FUNCTION", "EventsSaleTerms")
    monkeypatch.setenv("SERVICE_NAME", "admitter")
    forget_wiring()
    yield
    forget_wiring()


@pytest.mark.usefixtures("unavailable_cluster")
def test_a_run_survives_an_unavailable_cluster(caplog: pytest.LogCaptureFixture) -> None:
    admit_users.handler({}, Context(2.5))
    assert sum("stand still" in record.message for record in caplog.records) >= 2


def test_an_error_in_one_tick_does_not_end_the_run(redis: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    event_id = new_event()
    waiting_users(redis, event_id, 100)
    admission = AdmissionRedis(redis, AdmissionPolicy())
    tick, failed = admission.tick, []

    def fail_once(queues: list[EventId]) -> list[QueueMove]:
        if not failed:
            failed.append(queues)
            raise ValueError("a bug")
        return tick(queues)

    monkeypatch.setattr(admission, "tick", fail_once)
    admission_run_with(redis, open_sale(event_id), admission).run(Context(2.5))
    assert QueueRedis(redis).stats([event_id], datetime.now(UTC))[0].admitted >= 10
