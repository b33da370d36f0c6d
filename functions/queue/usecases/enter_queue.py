"""Entering a queue: one place in one queue for each user (QUEUE-001, QUEUE-021)."""

from datetime import datetime, timedelta
from typing import Protocol

from common.contracts.sale_terms import SaleTermsResponse
from common.domain.clock import Clock
from common.domain.ids import EventId, UserId
from common.domain.shared_errors import DomainError, ServiceUnavailable
from functions.queue.adapters.queue_redis import QueueRedis
from functions.queue.domain.errors import AlreadyWaiting
from functions.queue.domain.place_receipt import PlaceReceipt
from functions.queue.domain.queue_membership import QueueMembership
from functions.queue.domain.queue_status import Admitted, QueueStatus, Rejected, Waiting

# After the events service did not answer: waiting for its answer may take longer than a client waits for ours.
RETRY_TERMS_AFTER = timedelta(seconds=5)


class SaleTermsSource(Protocol):
    """The events service, or a fake in tests."""

    def sale_terms(self, event_id: EventId) -> SaleTermsResponse:
        """Raises NotFound if the event does not exist, ServiceUnavailable if the events service is unavailable."""


class EnterQueue:
    def __init__(self, queue: QueueRedis, events: SaleTermsSource, clock: Clock) -> None:
        self._queue = queue
        self._events = events
        self._clock = clock

    def enter(self, event_id: EventId, user_id: UserId, receipt: PlaceReceipt | None = None) -> QueueStatus:
        """Take a place, or read the one that the user has (QUEUE-001): one round trip in the usual case.

        The membership and the place are in two slots. Both are requested at once; if only one is granted, it is given
        back. If the process crashes in between, one of two things is left. A membership without a place: an `enter` for
        another event notices and replaces it after MEMBERSHIP_GRACE. Or a place without the membership: the user's next
        `enter` there gives it up, and if there is none, the admitter drops it with the users who do not poll.
        """
        now = self._clock()
        membership, status = self._queue.enter(event_id, user_id, now, receipt, accept_stale=False)
        memberships = [membership]
        try:
            if status is None:
                membership, status = self._enter_with_terms(event_id, user_id, now, receipt)
                memberships.append(membership)
        except DomainError:
            self._release_membership(memberships, event_id, user_id, now)
            raise
        if isinstance(status, Admitted):
            return status
        if membership.event_id != event_id:
            self._resolve_conflict(membership, status, event_id, user_id, now)
        if isinstance(status, Rejected):
            if not status.keeps_place:
                self._release_membership(memberships, event_id, user_id, now)
            raise status.error()
        return status

    def _release_membership(
        self, memberships: list[QueueMembership], event_id: EventId, user_id: UserId, now: datetime
    ) -> None:
        """Give back the membership of an `enter` that took no place, unless another `enter` may have used it.

        A membership that replaced a young one stays: the `enter` that took the young one may still be about to take a
        place. If that one is rejected too, a membership without a place is left, which ends with MEMBERSHIP_GRACE.
        """
        if not any(each.replaced_a_young_one(now) for each in memberships):
            for each in memberships:
                if each.event_id == event_id:
                    self._queue.release_membership(user_id, each)
                    return

    def _resolve_conflict(
        self,
        membership: QueueMembership,
        status: Waiting | Rejected,
        event_id: EventId,
        user_id: UserId,
        now: datetime,
    ) -> None:
        """The user is a member of another queue. Raises AlreadyWaiting if they wait there; else replaces the
        membership, if `status` is a place here.

        A place that the user still has in a queue that admits no one is then given up: if its seats became free again,
        the user would be in two queues. If the process crashes before that, the user's next `enter` there does it.
        """
        elsewhere = self._queue.read_status(membership.event_id, user_id, now)
        # No place and a young membership: that `enter` may still be running, and the user would be in both queues.
        still_entering = elsewhere is None and membership.is_young(now)
        if not isinstance(elsewhere, Waiting) and not still_entering:
            if isinstance(status, Rejected) and not status.keeps_place:
                return
            current = self._queue.replace_membership(user_id, event_id, now, replaces=membership)
            if current.event_id == event_id:
                if isinstance(elsewhere, Rejected):
                    self._queue.give_up_place(membership.event_id, user_id)
                return
            membership = current
        self._queue.give_up_place(event_id, user_id)
        raise AlreadyWaiting(eventId=str(membership.event_id))

    def _enter_with_terms(
        self, event_id: EventId, user_id: UserId, now: datetime, receipt: PlaceReceipt | None
    ) -> tuple[QueueMembership, QueueStatus | Rejected]:
        """Read the sale terms and enter. While the events service is unavailable, the last known terms are used."""
        unavailable: ServiceUnavailable | None = None
        try:
            self._queue.write_sale_terms(self._events.sale_terms(event_id), now)
        except ServiceUnavailable as error:
            unavailable = error
        membership, status = self._queue.enter(event_id, user_id, now, receipt, accept_stale=True)
        if status is None:  # the terms were never known, or Redis lost them within this millisecond
            raise unavailable or ServiceUnavailable()
        if unavailable and not isinstance(status, Admitted):  # an admitted user has a token even if no terms are known
            self._queue.extend_terms_until(event_id, until=self._clock() + RETRY_TERMS_AFTER)
        return membership, status
