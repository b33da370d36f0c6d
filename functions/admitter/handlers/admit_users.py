"""Every minute, for two: on each second let the next ten of every line in (QUEUE-005).

A schedule calls at any second of its minute (EventBridge Scheduler: "60 second precision"), so a run lasts two minutes:
each hands over to the next at leisure. Two at work admit no more than one.
"""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any
from uuid import UUID

from common.contracts.internal_call import call
from common.contracts.sale_terms import SaleTermsAnswer, SaleTermsAsked
from common.domain.clock import utc_now
from common.domain.shared_errors import NotFound, ServiceUnavailable, StoreUnavailable
from common.runtime.log import log
from common.runtime.metrics import emit
from common.runtime.settings import Settings
from common.runtime.ticks import ticks
from common.stores import redis
from common.waitingroom.queue_keys import SaleTermsLearner
from functions.admitter.adapters.admission_redis import Admission, Moved, Policy, Share

TICK_SECONDS = 0.5  # on the second, and between for what a late tick left of it
LINES_PER_INVOCATION = 250  # guessed from `make bench-queue`'s thousand lines: half a second is a tick's time
ASKING_AT_ONCE = 4
REPORT_SECONDS = 10
SPARE_SECONDS = 12.0  # before the timeout: a question on its way takes two tries of 2 + 3 s at the most


class AdmitterSettings(Settings):
    reservation_token_seconds: int = 600
    waiter_grace_seconds: int = 300
    admission_follows_seats: bool = False
    sale_terms_function: str


@cache
def settings() -> AdmitterSettings:
    return AdmitterSettings.from_environment()


@cache
def admission() -> Admission:
    policy = Policy(
        settings().reservation_token_seconds, settings().waiter_grace_seconds, settings().admission_follows_seats
    )
    return Admission(redis.client(), policy)


@cache
def learner() -> SaleTermsLearner:
    return SaleTermsLearner(redis.client())


def handler(event: dict[str, Any], context: Any) -> None:
    share = Share(**event["share"]) if "share" in event else _split(context)
    lines: list[UUID] = []
    ticked = behind = 0
    # Beside the ticks: the events service may take its time, the second does not.
    with ThreadPoolExecutor(ASKING_AT_ONCE) as asking:
        for due in ticks(context, TICK_SECONDS, spare=SPARE_SECONDS):
            new_second = due.is_integer()
            if new_second and due % REPORT_SECONDS == 0:
                emit({"service": "admitter"}, SecondsTicked=ticked, LinesBehind=behind)
                ticked = behind = 0
            try:
                if new_second:
                    behind += len(admission().unfilled(lines))  # the second that ended had room for who waits there
                    lines = [line for line in admission().live(utc_now()) if line in share]
                moved = admission().tick(lines if new_second else admission().unfilled(lines))
            except StoreUnavailable:
                log.exception("Redis is away; lines that it holds stand still")
                continue
            except Exception:  # one tick's, and the next run is a minute away
                log.exception("a tick failed; its lines stand still")
                continue
            ticked += new_second
            for each in moved:
                if each.terms_due:
                    asking.submit(_learn_terms, each.event_id)
            _record(moved)
    if share.number == 0:
        _forget_closed()


def _forget_closed() -> None:
    try:
        admission().forget_closed(utc_now())
    except StoreUnavailable:
        log.exception("Redis is away; lines long closed are forgotten by the next run")


def _split(context: Any) -> Share:
    """Share the lines with as many more invocations as they need; they last as long as this one."""
    try:
        count = len(admission().live(utc_now()))
    except StoreUnavailable:
        return Share()
    of = -(-count // LINES_PER_INVOCATION) or 1
    if of > 1:
        import boto3

        function = boto3.client("lambda")
        for number in range(1, of):
            payload = json.dumps({"share": {"number": number, "of": of}})
            try:
                function.invoke(FunctionName=context.invoked_function_arn, InvocationType="Event", Payload=payload)
            except Exception:  # the next run, a minute away, hands it over; the other shares are moved meanwhile
                log.exception("a share is handed over to nobody", extra={"share": number})
    return Share(0, of)


def _learn_terms(event_id: UUID) -> None:
    try:
        function = settings().sale_terms_function
        learner().learn(
            call(function, SaleTermsAsked(event_id=event_id), SaleTermsAnswer, read=True, raises=(NotFound,)), utc_now()
        )
    except NotFound:
        _close(event_id)
    except ServiceUnavailable as error:
        log.warning("no terms learnt; the old ones stand", extra={"event": str(event_id), "error": str(error)})
    except Exception:  # of a thread: nobody else would hear of it
        log.exception("no terms learnt; the old ones stand", extra={"event": str(event_id)})


def _close(event_id: UUID) -> None:
    log.warning("the event is no more; its line is closed", extra={"event": str(event_id)})
    try:
        learner().close(event_id, utc_now())
    except Exception:  # asked again in two seconds, if people wait
        log.exception("the line is not closed yet", extra={"event": str(event_id)})


def _record(moved: Iterable[Moved]) -> None:
    """One line for each event in which something happened: the record of the line (`docs/waiting-room.md`)."""
    admitted = dropped = 0
    for each in moved:
        if each.admitted or each.dropped:
            line = {
                "event": str(each.event_id),
                "admitted": [str(user) for user in each.admitted],
                "dropped": [str(user) for user in each.dropped],
                "waiting": each.waiting,
            }
            log.info("line moved", extra={"line": line})
            admitted += len(each.admitted)
            dropped += len(each.dropped)
    if admitted or dropped:
        emit({"service": "admitter"}, Admitted=admitted, Dropped=dropped)
