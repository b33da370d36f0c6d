"""Why a request is rejected: one class for each code, in one tree (`docs/api.md`, Errors).

A service declares its own errors in its `domain/errors.py`; what several services raise is here. HTTP statuses and the
texts that people read are in `common.http.error_catalogue`.
"""

from typing import Any, ClassVar


class StoreUnavailable(Exception):
    """Postgres, Redis, Secrets Manager or KMS does not answer. The same request may succeed a moment later."""


class DomainError(Exception):
    """A rule rejects the request. `details` is shown to the caller as it is: nothing internal belongs there.

    `retryable`: the same request can succeed later without anybody changing it. `retry_after`: in how many seconds.
    """

    code: ClassVar[str]
    retryable: ClassVar[bool] = False

    def __init__(self, details: Any = None, *, retry_after: int | None = None, **named_details: Any) -> None:
        super().__init__(self.code)
        self.details: Any = named_details if details is None else details
        self.retry_after = retry_after


# -- any endpoint --


class InvalidInput(DomainError):
    """The input breaks a rule that the caller could check. `details` lists each field and the reason."""

    code = "VALIDATION_ERROR"


class NotFound(DomainError):
    """It does not exist, or belongs to another user."""

    code = "NOT_FOUND"


class Forbidden(DomainError):
    """The user's role does not allow it."""

    code = "FORBIDDEN"


class PayloadTooLarge(DomainError):
    """The body is larger than the endpoint takes. `details` has `limitBytes`."""

    code = "PAYLOAD_TOO_LARGE"


class UnsupportedMediaType(DomainError):
    """The body is not JSON."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class InternalError(DomainError):
    """A bug of ours. The log has the exception, the caller only the trace id."""

    code = "INTERNAL_ERROR"
    retryable = True


class ServiceUnavailable(DomainError):
    """A store, another service or a third party does not answer."""

    code = "SERVICE_UNAVAILABLE"
    retryable = True


# -- who is calling --


class TokenMissing(DomainError):
    """The request carries no access token."""

    code = "TOKEN_MISSING"


class TokenExpired(DomainError):
    """The token is genuine and over its time."""

    code = "TOKEN_EXPIRED"


class TokenInvalid(DomainError):
    """The token is malformed, not signed by us, or its account is gone."""

    code = "TOKEN_INVALID"


class TokenRevoked(DomainError):
    """The token's session has ended."""

    code = "TOKEN_REVOKED"


class ServiceKeyInvalid(DomainError):
    """An internal call carries no valid service key (INT-006)."""

    code = "SERVICE_KEY_INVALID"


class QueueTokenMissing(DomainError):
    """The request carries no queue token."""

    code = "QUEUE_TOKEN_MISSING"


class QueueTokenInvalid(DomainError):
    """The queue token is unknown, spent or expired."""

    code = "QUEUE_TOKEN_INVALID"


class QueueTokenMismatch(DomainError):
    """The queue token belongs to another user, event, reservation or step."""

    code = "QUEUE_TOKEN_MISMATCH"


# -- protection --


class RateLimited(DomainError):
    """The caller sends more requests than the limit allows: `limit` a minute, of which `remaining` may come at once."""

    code = "RATE_LIMITED"
    retryable = True

    def __init__(self, *, limit: int = 0, remaining: int = 0, retry_after: int | None = None) -> None:
        super().__init__(retry_after=retry_after)
        self.limit = limit
        self.remaining = remaining


class CaptchaRequired(DomainError):
    """The bot check asks for a captcha (GW-027)."""

    code = "CAPTCHA_REQUIRED"


class CaptchaFailed(DomainError):
    """The captcha was not solved."""

    code = "CAPTCHA_FAILED"


class BotSuspected(DomainError):
    """The bot check rejects the request (GW-027)."""

    code = "BOT_SUSPECTED"


# -- the sale --


class SaleNotOpen(DomainError):
    """The event's sale has not opened."""

    code = "SALE_NOT_OPEN"


class SaleClosed(DomainError):
    """The event's sale is over, or the event is cancelled."""

    code = "SALE_CLOSED"


class SeatNotFound(DomainError):
    """The event has no such seat. `details` may list `seatIds`."""

    code = "SEAT_NOT_FOUND"


class HoldExpired(DomainError):
    """The hold ended before the payment. What was paid is returned in full."""

    code = "HOLD_EXPIRED"


# -- withdrawing an account --


class AccountInUse(DomainError):
    """The account has tickets to come, holds or payments that may still come; `details` lists the reservations of each
    kind (AUTH-018)."""

    code = "ACCOUNT_IN_USE"


class AccountClosing(DomainError):
    """The account is being withdrawn: no seats are held for it (AUTH-018)."""

    code = "ACCOUNT_CLOSING"
    retryable = True
