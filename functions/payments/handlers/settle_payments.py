"""Every minute: make the refunds that are still due, and settle the payments that stayed PENDING too long."""

from typing import Any

from common.runtime.log import log
from common.runtime.metrics import emit
from functions.payments.wiring import settlement


def handler(event: dict[str, Any], context: Any) -> None:
    refunds_due = settlement.refunds().make_due()
    payments_overdue = settlement.settle_payments().settle()
    for name, count in (("RefundsDue", refunds_due), ("PaymentsOverdue", payments_overdue)):
        if count:
            log.warning("not settled yet", extra={"what": name, "count": count})
        emit({"service": "payments"}, **{name: count})
