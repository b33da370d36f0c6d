"""PortOne as the rules see it: what it can be asked, what it shows, how it refuses."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True)
class BankView:
    """A payment as PortOne sees it."""

    status: str  # READY, PAY_PENDING, PAID, FAILED, PARTIAL_CANCELLED, CANCELLED, …
    total: int  # won, what was asked of the buyer
    cancelled: int  # won, given back so far
    transaction_id: str | None
    paid_at: datetime | None
    failure: str | None = None
    ours: bool = (
        True  # in won and by our channel: the browser names the channel, and a store's test channel takes no money
    )

    @property
    def money_taken(self) -> bool:
        return self.status in ("PAID", "PARTIAL_CANCELLED")


class PortOneAway(Exception):
    """No answer, or none that says anything. Whether the request was carried out is unknown when `timed_out`.

    Not even asked, the circuit being open: then `retry_after` says for how many seconds.
    """

    def __init__(self, *, timed_out: bool, retry_after: int | None = None) -> None:
        super().__init__(
            "no answer in time" if timed_out else "no usable answer" if retry_after is None else "not asked"
        )
        self.timed_out = timed_out
        self.retry_after = retry_after or 5


class PortOneRefused(Exception):
    """PortOne said no; `kind` is its error's `type`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Bank(Protocol):
    """PortOne. Raises PortOneAway or PortOneRefused."""

    def pre_register(self, payment_id: UUID, amount: int) -> None: ...
    def confirm(self, payment_id: UUID, payment_token: str, amount: int, key: str) -> None: ...
    def cancel(self, payment_id: UUID, amount: int, reason: str, cancellable: int, key: str) -> None: ...
    def view(self, payment_id: UUID) -> BankView | None: ...
