"""Refunds in Postgres."""

from datetime import datetime

from common.domain.ids import EventId, PaymentId, RefundId, ReservationId
from common.stores.postgres import Connection, Database, Row
from functions.payments.domain.refund import Refund, RefundTotals

_DUE = "SELECT * FROM payment_service.refunds WHERE done_at IS NULL"


class RefundRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add_refund(
        self, connection: Connection, refund_id: RefundId, reservation_id: ReservationId, amount: int, reason: str
    ) -> bool:
        """Add a due refund in the caller's transaction, of at most what was not refunded yet.

        False if nothing was paid for the reservation, or everything was refunded.
        """
        return (
            connection.execute(
                """
                INSERT INTO payment_service.refunds (id, payment_id, amount, reason)
                SELECT %s, id, least(%s, amount - refunded_amount), %s FROM payment_service.payments
                 WHERE reservation_id = %s AND status IN ('SUCCESS', 'REFUNDED') AND refunded_amount < amount
                """,
                (refund_id, amount, reason, reservation_id),
            ).rowcount
            == 1
        )

    def mark_done(self, connection: Connection, refund_id: RefundId, now: datetime) -> bool:
        """False if it was done before."""
        done = connection.execute(
            "UPDATE payment_service.refunds SET done_at = %s WHERE id = %s AND done_at IS NULL", (now, refund_id)
        )
        return done.rowcount == 1

    def mark_failed(self, refund_id: RefundId, error: str) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE payment_service.refunds SET attempts = attempts + 1, last_error = %s WHERE id = %s",
                (error, refund_id),
            )

    def find_due(self, refund_id: RefundId) -> Refund | None:
        row = self._database.row(f"{_DUE} AND id = %s", (refund_id,))
        return _refund(row) if row else None

    def due(self, limit: int) -> list[Refund]:
        """Those with the fewest failed attempts first."""
        rows = self._database.rows(f"{_DUE} ORDER BY attempts, created_at LIMIT %s", (limit,))
        return [_refund(row) for row in rows]

    def totals(self, event_id: EventId, reason: str) -> RefundTotals:
        """How far the refunds of an event for `reason` have come."""
        row = self._database.rows(
            """
            SELECT count(*) FILTER (WHERE done_at IS NULL) AS due, count(done_at) AS done,
                   coalesce(sum(r.amount) FILTER (WHERE done_at IS NULL), 0) AS amount_due,
                   coalesce(sum(r.amount) FILTER (WHERE done_at IS NOT NULL), 0) AS amount_done
              FROM payment_service.refunds r JOIN payment_service.payments p ON p.id = r.payment_id
             WHERE p.event_id = %s AND r.reason = %s
            """,
            (event_id, reason),
        )[0]
        return RefundTotals(row["due"], row["done"], int(row["amount_due"]), int(row["amount_done"]))


def _refund(row: Row) -> Refund:
    return Refund(RefundId(row["id"]), PaymentId(row["payment_id"]), row["amount"], row["reason"], row["attempts"])
