"""Why the queue service rejects a request."""

from common.domain.shared_errors import DomainError


class SoldOut(DomainError):
    """Every seat of the event is sold."""

    code = "SOLD_OUT"


class AlreadyWaiting(DomainError):
    """The user waits for another event (QUEUE-021)."""

    code = "ALREADY_WAITING"


class NotInQueue(DomainError):
    """The user has no place in the queue."""

    code = "NOT_IN_QUEUE"


class QueueFull(DomainError):
    """The queue has reached its capacity (QUEUE-010)."""

    code = "QUEUE_FULL"
    retryable = True
