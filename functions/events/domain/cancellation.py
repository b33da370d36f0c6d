"""How far the refunds of a cancelled event have come (EVT-028)."""

from dataclasses import dataclass
from datetime import datetime

from common.contracts.refund_counts import RefundCountsResponse
from common.contracts.reservation_counts import ReservationCountsResponse
from common.domain.ids import EventId
from functions.events.domain.event import Cancellation


@dataclass(frozen=True, kw_only=True)
class CancellationProgress:
    """Amounts in won."""

    event_id: EventId
    reason: str
    cancelled_at: datetime
    reservations_to_cancel: int
    reservations_cancelled: int
    refunds_due: int
    refunds_done: int
    amount_due: int
    amount_refunded: int
    done: bool


def cancellation_progress(
    event_id: EventId, cancellation: Cancellation, counts: ReservationCountsResponse, refunds: RefundCountsResponse
) -> CancellationProgress:
    """Done when no reservation is live, the cancellation has reached every reservation, and no amount is due.

    The amount due follows from what reservations cancelled, whether payments has consumed those messages or not.
    """
    live = counts.pending + counts.confirmed
    amount_due = max(0, counts.refund_amount - refunds.amount_done)
    return CancellationProgress(
        event_id=event_id,
        reason=cancellation.reason,
        cancelled_at=cancellation.cancelled_at,
        reservations_to_cancel=live,
        reservations_cancelled=counts.event_cancelled,
        refunds_due=refunds.due,
        refunds_done=refunds.done,
        amount_due=amount_due,
        amount_refunded=refunds.amount_done,
        done=counts.seen_through and live == 0 and amount_due == 0 and refunds.due == 0,
    )
