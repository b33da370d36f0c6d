"""A run of the admitter: on each second, admit as many users of every queue as its rate allows (QUEUE-005).

A schedule invokes at any second of its minute (EventBridge Scheduler: "60 second precision"), so a run lasts two
minutes and overlaps the next one. Two runs at once admit no more users than one.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Protocol

from common.contracts.sale_terms import SaleTermsResponse
from common.domain.clock import Clock
from common.domain.ids import EventId
from common.domain.shared_errors import NotFound, ServiceUnavailable, StoreUnavailable
from common.runtime.log import log
from common.runtime.metrics import emit
from common.runtime.ticks import ticks
from common.waitingroom.sale_terms_writer import SaleTermsWriter
from functions.admitter.domain.admission import QueueMove, QueueShare

TICK_SECONDS = 0.5  # on the second, and half a second later for what a late tick left of it
QUEUES_A_RUN = 250  # an estimate from `make bench-queue`'s thousand queues: a tick has half a second
CALLS_AT_ONCE = 4  # to the events service
REPORT_SECONDS = 10
SPARE_SECONDS = 12.0  # before the timeout: a call in progress takes at most two tries of 2 + 3 s


class SaleTermsSource(Protocol):
    """The events service, or a fake in tests."""

    def sale_terms(self, event_id: EventId) -> SaleTermsResponse:
        """Raises NotFound if the event does not exist, ServiceUnavailable if the events service is unavailable."""


class Admission(Protocol):
    """Admission in Redis, or a fake in tests."""

    def live_queues(self, now: datetime) -> list[EventId]: ...
    def unfilled(self, queues: Iterable[EventId]) -> list[EventId]: ...
    def tick(self, queues: Iterable[EventId]) -> list[QueueMove]: ...
    def delete_closed_queues(self, now: datetime) -> int: ...


class AdmissionRun:
    """`invoke_share` hands a share over to another invocation of the function with the given ARN."""

    def __init__(
        self,
        admission: Admission,
        events: SaleTermsSource,
        terms: SaleTermsWriter,
        invoke_share: Callable[[str, QueueShare], None],
        clock: Clock,
    ) -> None:
        self._admission = admission
        self._events = events
        self._terms = terms
        self._invoke_share = invoke_share
        self._clock = clock

    def run(self, context: Any, share: QueueShare | None = None) -> None:
        """Tick until shortly before the timeout of the Lambda `context`. Without a share: split the queues first."""
        if share is None:
            share = self.split(context.invoked_function_arn)
        queues: list[EventId] = []
        ticked = behind = 0
        # In threads beside the ticks: the events service may be slow, but the next second does not wait.
        with ThreadPoolExecutor(CALLS_AT_ONCE) as terms_calls:
            for due in ticks(context, TICK_SECONDS, spare=SPARE_SECONDS):
                new_second = due.is_integer()
                if new_second and due % REPORT_SECONDS == 0:
                    emit({"service": "admitter"}, SecondsTicked=ticked, LinesBehind=behind)
                    ticked = behind = 0
                try:
                    if new_second:
                        behind += len(self._admission.unfilled(queues))  # of the second that has just ended
                        queues = [each for each in self._admission.live_queues(self._clock()) if each in share]
                    moves = self._admission.tick(queues if new_second else self._admission.unfilled(queues))
                except StoreUnavailable:
                    log.exception("Redis is unavailable; its queues stand still")
                    continue
                except Exception:  # of one tick: without this, the queues would wait a minute for the next run
                    log.exception("a tick failed; its queues stand still")
                    continue
                ticked += new_second
                for move in moves:
                    if move.terms_due:
                        terms_calls.submit(self._refresh_terms, move.event_id)
                _record(moves)
        if share.number == 0:
            self._delete_closed_queues()

    def split(self, function: str) -> QueueShare:
        """Share the queues with as many more invocations of `function` as they need, each as long as this one."""
        try:
            count = len(self._admission.live_queues(self._clock()))
        except StoreUnavailable:
            return QueueShare()
        of = -(-count // QUEUES_A_RUN) or 1
        for number in range(1, of):
            try:
                self._invoke_share(function, QueueShare(number, of))
            except Exception:  # the other shares move meanwhile, and the next run, a minute later, tries again
                log.exception("a share could not be handed over", extra={"share": number})
        return QueueShare(0, of)

    def _delete_closed_queues(self) -> None:
        try:
            self._admission.delete_closed_queues(self._clock())
        except StoreUnavailable:
            log.exception("Redis is unavailable; the next run deletes the closed queues")

    def _refresh_terms(self, event_id: EventId) -> None:
        try:
            self._terms.write(self._events.sale_terms(event_id), self._clock())
        except NotFound:
            self._close(event_id)
        except ServiceUnavailable as error:
            log.warning("sale terms not refreshed", extra={"event": str(event_id), "error": str(error)})
        except Exception:  # in a thread: without this, the error would be lost
            log.exception("sale terms not refreshed", extra={"event": str(event_id)})

    def _close(self, event_id: EventId) -> None:
        log.warning("the event no longer exists; its queue is closed", extra={"event": str(event_id)})
        try:
            self._terms.close(event_id, self._clock())
        except Exception:  # the terms are due again in two seconds, if users wait
            log.exception("the queue could not be closed", extra={"event": str(event_id)})


def _record(moves: Iterable[QueueMove]) -> None:
    """The queues' record (`docs/waiting-room.md`, Record): a log record for each queue in which something happened."""
    admitted = dropped = 0
    for move in moves:
        if move.admitted or move.dropped:
            fields = {
                "event": str(move.event_id),
                "admitted": [str(user_id) for user_id in move.admitted],
                "dropped": [str(user_id) for user_id in move.dropped],
                "waiting": move.waiting,
            }
            # Operators' Logs Insights queries read this message and the field `line`: neither must change.
            log.info("line moved", extra={"line": fields})
            admitted += len(move.admitted)
            dropped += len(move.dropped)
    if admitted or dropped:
        emit({"service": "admitter"}, Admitted=admitted, Dropped=dropped)
