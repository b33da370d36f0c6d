"""Every minute: finish what was left in the middle, refunds still due and payments PENDING too long."""

from typing import Any

from common.runtime.log import log
from common.runtime.metrics import emit
from functions.payments.wiring.checkout import checkout


def handler(event: dict[str, Any], context: Any) -> None:
    for name, count in (("RefundsDue", checkout().refund_due()), ("PaymentsOverdue", checkout().settle())):
        if count:
            log.warning("not settled yet", extra={"what": name, "count": count})
        emit({"service": "payments"}, **{name: count})
