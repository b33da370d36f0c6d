"""The payment gateway as the rules see it: its requests, its view of a payment, its errors."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from common.domain.ids import PaymentId


@dataclass(frozen=True)
class GatewayView:
    """A payment as the payment gateway reports it. Amounts in won."""

    status: str  # READY, PAY_PENDING, PAID, FAILED, PARTIAL_CANCELLED, CANCELLED, …
    total: int  # the amount that the buyer was asked for
    cancelled: int  # the amount that was returned so far
    transaction_id: str | None
    paid_at: datetime | None
    failure: str | None = None
    # In won and through our channel: the browser names the channel, and a store's test channel takes no money.
    is_trusted: bool = True

    @property
    def is_paid(self) -> bool:
        return self.status in ("PAID", "PARTIAL_CANCELLED")

    @property
    def remaining(self) -> int:
        """The amount that can still be returned."""
        return self.total - self.cancelled


# What a payment of 0 won needs is there already: it never reaches the payment gateway.
NOTHING_TO_PAY = GatewayView(status="PAID", total=0, cancelled=0, transaction_id=None, paid_at=None)


class GatewayError(Exception):
    """The payment gateway did not do what it was asked."""

    timed_out = False
    retry_after: int | None = None


class GatewayUnavailable(GatewayError):
    """No usable answer: if it `timed_out`, the payment gateway may have carried out the request.

    While the circuit breaker is open no request is sent, and `retry_after` has the seconds until it may close.
    """

    def __init__(self, *, timed_out: bool, retry_after: int | None = None) -> None:
        super().__init__(
            "no answer in time" if timed_out else "no usable answer" if retry_after is None else "not asked"
        )
        self.timed_out = timed_out
        self.retry_after = retry_after or 5


class GatewayRejected(GatewayError):
    """The payment gateway rejected the request; `kind` is its error's `type`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class PaymentGateway(Protocol):
    """PortOne, or a fake in tests. Every method raises `GatewayUnavailable` or `GatewayRejected`."""

    def pre_register(self, payment_id: PaymentId, amount: int) -> None: ...
    def confirm(self, payment_id: PaymentId, payment_token: str, amount: int, key: str) -> None: ...
    def cancel(self, payment_id: PaymentId, amount: int, reason: str, cancellable: int, key: str) -> None: ...
    def view(self, payment_id: PaymentId) -> GatewayView | None: ...
