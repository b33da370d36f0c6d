"""Settle the payments that stayed PENDING too long, and reverse what was paid for FAILED ones."""

from datetime import datetime, timedelta

from common.domain.clock import Clock
from common.domain.ids import PaymentId
from common.runtime.log import log
from functions.payments.adapters.payment_repository import PaymentRepository
from functions.payments.domain.payment import Payment, PaymentStatus
from functions.payments.domain.payment_gateway import GatewayError
from functions.payments.usecases.sync_with_gateway import SyncWithGateway

RUN_FOR = timedelta(seconds=45)  # a run starts every minute, one at a time
CHECK_FAILED_FOR = timedelta(days=1)  # how long money may still be paid for a FAILED payment


class SettlePayments:
    """A payment that stays PENDING for longer than `settle_after` is settled."""

    def __init__(
        self, payments: PaymentRepository, sync: SyncWithGateway, clock: Clock, settle_after: timedelta
    ) -> None:
        self._payments = payments
        self._sync = sync
        self._clock = clock
        self._settle_after = settle_after

    def settle(self, limit: int = 100) -> int:
        """Settle payments. Returns how many are unsettled after that.

        The payment gateway accepts another attempt on a failed payment, and its webhook may be lost. So a FAILED
        payment is checked for a day, less and less often, and one with money to return until it is returned. Those come
        first; then `limit` payments at a time until the next run is due, since a crowd abandons more payments than that
        in a minute.
        """
        began, seen = self._clock(), set[PaymentId]()
        overdue = self._payments.with_reversal_due(limit) + self._overdue(began, limit)
        while overdue and self._clock() - began < RUN_FOR:
            for payment in overdue:
                self._settle(payment)
                seen.add(payment.id)
            overdue = [payment for payment in self._overdue(began, limit) if payment.id not in seen]
        return self._payments.count_unsettled(began - self._settle_after)

    def _overdue(self, now: datetime, limit: int) -> list[Payment]:
        pending = self._payments.pending_since(now - self._settle_after, limit)
        return pending + self._payments.failed_to_check(now, now - CHECK_FAILED_FOR, limit)

    def _settle(self, payment: Payment) -> None:
        """A payment that cannot be settled, for any reason, goes behind the others and delays none of them."""
        try:
            after = self._sync.sync(payment)
            if after.status is PaymentStatus.PENDING:
                # Nothing was paid and the hold is long over. Money that is paid later is returned.
                self._sync.fail_and_sync(after, after.declined_reason or "NOT_PAID")
        except GatewayError as error:
            log.warning("not settled yet", extra={"payment_id": str(payment.id), "error": str(error)})
        except Exception:
            log.exception("cannot be settled", extra={"payment_id": str(payment.id)})
        self._payments.mark_checked(payment.id, self._clock())
