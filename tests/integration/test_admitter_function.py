"""The admitter as a function: what it does in a run, whom it tells, how it shares the work."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.contracts.sale_terms import SaleTermsAnswer
from common.domain.shared_errors import NotFound, ServiceUnavailable
from common.stores import redis as common_redis
from common.stores.redis import Client
from common.waitingroom.queue_keys import LIVE_LINES
from functions.admitter.adapters.admission_redis import Moved, Share
from functions.admitter.handlers import admit_users as admit
from functions.queue.adapters.queue_redis import LineStore
from functions.queue.usecases.enter_queue import Turned
from tests.on_sale import in_line, sale


@dataclass
class Run:
    """A Lambda context with so many seconds left."""

    seconds: float
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:000000000000:function:Admitter"
    began: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        return int((self.began + self.seconds + admit.SPARE_SECONDS - time.monotonic()) * 1000)


@pytest.fixture
def warm(redis: Client, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """The function's container, on the test's Redis."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("REDIS_CLUSTER", "false")
    monkeypatch.setenv("SALE_TERMS_FUNCTION", "EventsSaleTerms")
    kept = (admit.settings, admit.admission, admit.learner, common_redis.client)
    for each in kept:
        each.cache_clear()
    yield redis
    for each in kept:
        each.cache_clear()


@pytest.mark.measures_time(reason="lets in so many within a real run of 3.5 s")
def test_a_run_lets_in_the_rate_every_second_and_records_whom(
    warm: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    event_id = uuid4()
    users = in_line(warm, event_id, 100)
    monkeypatch.setattr(admit, "call", lambda *_, **__: sale(event_id, now=datetime.now(UTC)))
    admit.handler({}, Run(3.5))
    lines = [record.__dict__["line"] for record in caplog.records if record.message == "line moved"]
    recorded = [UUID(user) for line in lines for user in line["admitted"]]
    assert len(recorded) >= 30
    assert recorded == users[: len(recorded)]
    assert {line["event"] for line in lines} == {str(event_id)}


def test_a_line_learns_that_it_is_sold_out_while_people_wait(warm: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    event_id = uuid4()
    users = in_line(warm, event_id, 100, rate=1)

    def sold_out(*_: Any, **__: Any) -> SaleTermsAnswer:
        return sale(event_id, now=datetime.now(UTC), sold_out=True, seats_left=0)

    monkeypatch.setattr(admit, "call", sold_out)
    admit.handler({}, Run(4))
    assert LineStore(warm).place(event_id, users[-1], datetime.now(UTC)) == Turned("SOLD_OUT", in_line=True)


def test_nobody_is_let_into_an_event_that_was_deleted(warm: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    event_id = uuid4()
    users = in_line(warm, event_id, 100, rate=1)

    def deleted(*_: Any, **__: Any) -> SaleTermsAnswer:
        raise NotFound()

    monkeypatch.setattr(admit, "call", deleted)
    admit.handler({}, Run(4))
    assert LineStore(warm).place(event_id, users[-1], datetime.now(UTC)) == Turned("CLOSED", in_line=True)
    assert LineStore(warm).live(datetime.now(UTC)) == []


@pytest.mark.measures_time(reason="lets in so many within a real run of 3.5 s")
def test_admission_goes_on_while_the_events_service_is_away_or_slow(
    warm: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id = uuid4()
    in_line(warm, event_id, 100)

    def away(*_: Any, **__: Any) -> SaleTermsAnswer:
        time.sleep(1)  # what a dead service costs, at the least
        raise ServiceUnavailable()

    monkeypatch.setattr(admit, "call", away)
    admit.handler({}, Run(3.5))
    assert LineStore(warm).stats([event_id], datetime.now(UTC))[0].admitted >= 30


def test_more_lines_than_one_run_takes_are_shared_with_others(warm: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = datetime.now(UTC).timestamp() + 3600
    warm.zadd(LIVE_LINES, {str(uuid4()): ends for _ in range(admit.LINES_PER_INVOCATION * 2 + 1)})
    invoked: list[dict[str, Any]] = []

    class Lambda:
        def invoke(self, **arguments: Any) -> None:
            invoked.append(arguments)

    monkeypatch.setattr("boto3.client", lambda _: Lambda())
    run = Run(0)
    admit.handler({}, run)
    assert [json.loads(each["Payload"])["share"] for each in invoked] == [
        {"number": 1, "of": 3},
        {"number": 2, "of": 3},
    ]
    assert {(each["InvocationType"], each["FunctionName"]) for each in invoked} == {("Event", run.invoked_function_arn)}
    invoked.clear()
    admit.handler({"share": {"number": 1, "of": 3}}, Run(0))
    assert invoked == [], "a share is not shared again"


def test_a_share_that_could_not_be_handed_over_takes_none_of_the_others_along(
    warm: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = datetime.now(UTC).timestamp() + 3600
    warm.zadd(LIVE_LINES, {str(uuid4()): ends for _ in range(admit.LINES_PER_INVOCATION * 2 + 1)})
    invoked: list[int] = []

    class Lambda:
        def invoke(self, **arguments: Any) -> None:
            invoked.append(json.loads(arguments["Payload"])["share"]["number"])
            if invoked == [1]:
                raise ConnectionError("throttled")

    monkeypatch.setattr("boto3.client", lambda _: Lambda())
    assert admit._split(Run(0)) == Share(0, 3)
    assert invoked == [1, 2]


class Overrun:
    """An admission whose line has people waiting and room for them at the end of every second."""

    def __init__(self, event_id: UUID) -> None:
        self._lines = [event_id]

    def live(self, _now: datetime) -> list[UUID]:
        return self._lines

    def unfilled(self, lines: list[UUID]) -> list[UUID]:
        return lines

    def tick(self, _lines: list[UUID]) -> list[Moved]:
        return []

    def forget_closed(self, _now: datetime) -> int:
        return 0


@pytest.mark.parametrize("late", [False, True])
def test_it_is_told_how_many_lines_fall_behind_their_rate(
    late: bool, warm: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the alarms AdmissionBelowRate and AdmissionStopped look at."""
    event_id = uuid4()
    in_line(warm, event_id, 100)
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(admit, "call", lambda *_, **__: sale(event_id, now=datetime.now(UTC)))
    monkeypatch.setattr(admit, "emit", lambda _dimensions, **metrics: told.append(metrics))
    monkeypatch.setattr(admit, "REPORT_SECONDS", 1)
    if late:
        monkeypatch.setattr(admit, "admission", lambda: Overrun(event_id))
    admit.handler({}, Run(4))
    reports = [each for each in told if "LinesBehind" in each]
    assert sum(each["SecondsTicked"] for each in reports) >= 2
    assert (sum(each["LinesBehind"] for each in reports) > 0) == late


def test_a_run_outlives_a_cluster_that_is_away(
    warm: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9")
    monkeypatch.setenv("REDIS_CLUSTER", "true")
    admit.handler({}, Run(2.5))
    assert sum("stand still" in record.message for record in caplog.records) >= 2


def test_what_goes_wrong_in_one_tick_does_not_end_the_run(warm: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    event_id = uuid4()
    in_line(warm, event_id, 100)
    tick, failed = admit.admission().tick, []

    def first_fails(lines: list[UUID]) -> list[Moved]:
        if not failed:
            failed.append(lines)
            raise ValueError("a bug")
        return tick(lines)

    monkeypatch.setattr(admit, "call", lambda *_, **__: sale(event_id, now=datetime.now(UTC)))
    monkeypatch.setattr(admit.admission(), "tick", first_fails)
    admit.handler({}, Run(2.5))
    assert LineStore(warm).stats([event_id], datetime.now(UTC))[0].admitted >= 10
