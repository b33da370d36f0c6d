"""The relay's working time: passes one after another, with pauses while the outbox is empty."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aws_lambda_powertools.metrics import MetricUnit

from common.domain.shared_errors import StoreUnavailable
from common.runtime.log import log
from common.runtime.metrics import emit
from functions.outbox_relay.domain.poll_backoff import PollBackoff
from functions.outbox_relay.domain.publisher import BrokerUnavailable
from functions.outbox_relay.usecases.relay import Pass, Relay

IDLE_SECONDS = 0.1  # the longest pause of the working relay
STANDBY_SECONDS = 0.5  # and of the one on standby
SHIFT_SECONDS = 63.0  # a minute, and the next relay's cold start
UNAVAILABLE_SECONDS = 1.0
REPORT_SECONDS = 10.0


def run(
    relay: Relay,
    may_go_on: Callable[[], bool],
    shift_seconds: float = SHIFT_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Sweep until `may_go_on` says no. Ends between two passes: nothing is in flight when it returns."""
    began = time.monotonic()
    backoff, report = PollBackoff(IDLE_SECONDS), _Report(relay)
    while may_go_on():
        if time.monotonic() - began > shift_seconds:
            backoff.longest = STANDBY_SECONDS
        try:
            done = relay.sweep()
            report.add(done)
            pause = backoff.after(done.published)
        except (StoreUnavailable, BrokerUnavailable) as error:
            log.warning("nothing can be published now", extra={"reason": str(error)})
            pause = UNAVAILABLE_SECONDS
        report.write_if_due()
        if pause:
            sleep(pause)
    report.write()


@dataclass
class _Report:
    """What was done, in one log record of metrics every ten seconds."""

    relay: Relay
    published: int = 0
    failed: int = 0
    dead_letters: int = 0
    written_at: float = field(default_factory=time.monotonic)

    def add(self, done: Pass) -> None:
        self.published += done.published
        self.failed += done.failed
        self.dead_letters += done.dead_letters

    def write_if_due(self) -> None:
        if time.monotonic() - self.written_at >= REPORT_SECONDS:
            self.write()

    def write(self) -> None:
        self.written_at = time.monotonic()
        try:
            backlog = self.relay.backlog()
        except StoreUnavailable:
            return  # the next record has these counts
        emit(
            {"service": "outbox_relay"},
            Published=self.published,
            PublishFailed=self.failed,
            DeadLetters=self.dead_letters,
            Lag=backlog.lag,
            OldestAge=(MetricUnit.Seconds, backlog.oldest_seconds),
        )
        self.published = self.failed = self.dead_letters = 0
