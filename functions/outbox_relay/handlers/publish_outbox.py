"""Started every minute, for two: keeps the outbox empty (RSV-012, PAY-013).

In its first minute a relay works; in its second it stands by, looking twice a second, while the next one works. So two
are alive at any time, and when one is killed the other has its shards within a second: they share nothing but locks
that die with their holder. A crowd brings the second one to work, too.

Polls rather than LISTENs: LISTEN pins RDS Proxy's connection, and NOTIFY takes a lock on the whole database.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from common.domain.shared_errors import StoreUnavailable
from common.runtime.log import log
from common.runtime.metrics import emit
from functions.outbox_relay.domain.poll_backoff import Pace
from functions.outbox_relay.usecases.relay import BrokerAway, Pass, Relay
from functions.outbox_relay.wiring.relay import relay

IDLE_SECONDS = 0.1  # between looks, of the one that works
STANDBY_SECONDS = 0.5  # and of the one that stands by
SHIFT_SECONDS = 63.0  # a minute, and the next one's cold start
AWAY_SECONDS = 1.0
REPORT_SECONDS = 10.0
SPARE_SECONDS = 12.0  # more than a pass takes with a broker that answers as late as it may


def handler(event: dict[str, Any], context: Any) -> None:
    run(relay(), lambda: context.get_remaining_time_in_millis() / 1000 > SPARE_SECONDS)


def run(
    relay: Relay,
    may_go_on: Callable[[], bool],
    shift_seconds: float = SHIFT_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Sweep until told to stop. Ends between passes: nothing is under way when it returns."""
    began = time.monotonic()
    pace, report = Pace(IDLE_SECONDS), _Report(relay)
    while may_go_on():
        if time.monotonic() - began > shift_seconds:
            pace.longest = STANDBY_SECONDS
        try:
            done = relay.sweep()
            report.add(done)
            pause = pace.after(done.published)
        except (StoreUnavailable, BrokerAway) as error:
            log.warning("nothing can be published now", extra={"reason": str(error)})
            pause = AWAY_SECONDS
        report.tell_if_due()
        if pause:
            sleep(pause)
    report.tell()


@dataclass
class _Report:
    """What was done, in one line of metrics every ten seconds."""

    relay: Relay
    published: int = 0
    failed: int = 0
    buried: int = 0
    told: float = field(default_factory=time.monotonic)

    def add(self, done: Pass) -> None:
        self.published += done.published
        self.failed += done.failed
        self.buried += done.buried

    def tell_if_due(self) -> None:
        if time.monotonic() - self.told >= REPORT_SECONDS:
            self.tell()

    def tell(self) -> None:
        self.told = time.monotonic()
        try:
            backlog = self.relay.backlog()
        except StoreUnavailable:
            return  # Postgres is away: the counts are told with the next line
        emit(
            {"service": "outbox_relay"},
            Published=self.published,
            PublishFailed=self.failed,
            DeadLetters=self.buried,
            Lag=backlog.lag,
            OldestAge=(MetricUnit.Seconds, backlog.oldest_seconds),
        )
        self.published = self.failed = self.buried = 0
