"""Every minute: finish what was left in the middle, payments PENDING too long and refunds still due."""

from typing import Any

from common.log import log
from common.metrics import emit
from functions.payments.composition import checkout


def handler(event: dict[str, Any], context: Any) -> None:
    for name, count in (("PaymentsOverdue", checkout().settle()), ("RefundsDue", checkout().refund_due())):
        if count:
            log.warning("not settled yet", extra={"what": name, "count": count})
        emit({"service": "payments"}, **{name: count})
