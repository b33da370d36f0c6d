"""Why the payments service rejects a request."""

from common.domain.shared_errors import DomainError


class PaymentKeyReused(DomainError):
    """The payment key belongs to another payment."""

    code = "PAYMENT_KEY_REUSED"


class PaymentInProgress(DomainError):
    """The same request is being processed."""

    code = "PAYMENT_IN_PROGRESS"


class PaymentNotCompleted(DomainError):
    """The buyer has not paid."""

    code = "PAYMENT_NOT_COMPLETED"


class PaymentUnsuccessful(DomainError):
    """The payment failed, or its last attempt was declined. `details` has `reason`, and `retryUntil` if the buyer may
    try again."""

    code = "PAYMENT_FAILED"


class AmountMismatch(DomainError):
    """The amount paid is not the amount due."""

    code = "AMOUNT_MISMATCH"


class SignatureInvalid(DomainError):
    """The webhook is not signed by the payment gateway."""

    code = "SIGNATURE_INVALID"


class PaymentNotStarted(DomainError):
    """The payment gateway does not answer, and the buyer cannot have paid: they may try again."""

    code = "PAYMENT_NOT_STARTED"
    retryable = True


class PaymentUnavailable(DomainError):
    """The payment gateway does not answer. Its text keeps people from paying twice (GW-022)."""

    code = "PAYMENT_UNAVAILABLE"
    retryable = True


class PaymentTimeout(DomainError):
    """The payment gateway answered too late: the outcome is unknown (GW-022)."""

    code = "PAYMENT_TIMEOUT"
    retryable = True
