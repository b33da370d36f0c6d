"""Payments in Postgres."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from common.domain.ids import EventId, PaymentId, ReservationId, UserId
from common.stores.postgres import Connection, Database, Row
from functions.payments.domain.payment import Payment, PaymentStatus

_PAYMENTS = "SELECT * FROM payment_service.payments"


class PaymentRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    # -- writes ------------------------------------------------------------------------------------------------------

    def add(self, payment: Payment) -> bool:
        """Add a PENDING payment. False if its payment key exists already, or if the reservation has another payment
        that did not fail: it is paid at most once."""
        with self._database.transaction() as connection:
            added = connection.execute(
                """
                INSERT INTO payment_service.payments
                       (id, payment_key, reservation_id, event_id, user_id, order_name, amount, method, status,
                        created_at)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'PENDING', %s)
                ON CONFLICT DO NOTHING
                """,
                (
                    payment.id,
                    payment.payment_key,
                    payment.reservation_id,
                    payment.event_id,
                    payment.user_id,
                    payment.order_name,
                    payment.amount,
                    payment.method,
                    payment.created_at,
                ),
            )
            return added.rowcount == 1

    def change_order(self, payment_id: PaymentId, order_name: str, amount: int) -> Payment:
        """The payment with another amount, unless the payment gateway knows its amount already."""
        with self._database.transaction() as connection:
            connection.execute(
                """
                UPDATE payment_service.payments SET order_name = %s, amount = %s
                 WHERE id = %s AND status = 'PENDING' AND preregistered_at IS NULL
                """,
                (order_name, amount, payment_id),
            )
            return self.lock(connection, payment_id)

    def mark_preregistered(self, payment_id: PaymentId, amount: int, now: datetime) -> bool:
        """False if its amount has changed since."""
        with self._database.transaction() as connection:
            marked = connection.execute(
                "UPDATE payment_service.payments SET preregistered_at = %s WHERE id = %s AND amount = %s",
                (now, payment_id, amount),
            )
            return marked.rowcount == 1

    def lock(self, connection: Connection, payment_id: PaymentId) -> Payment:
        """The payment, locked until the caller's transaction ends."""
        row = connection.execute(
            "SELECT * FROM payment_service.payments WHERE id = %s FOR UPDATE", (payment_id,)
        ).fetchone()
        if row is None:
            raise LookupError(f"payment {payment_id} vanished: payments are never deleted")
        return _payment(row)

    def save_success(self, connection: Connection, payment: Payment, now: datetime) -> None:
        connection.execute(
            """
            UPDATE payment_service.payments
               SET status = 'SUCCESS', paid_at = %s, portone_transaction_id = %s, updated_at = %s
             WHERE id = %s
            """,
            (payment.paid_at, payment.portone_transaction_id, now, payment.id),
        )

    def save_failure(self, connection: Connection, payment: Payment, now: datetime) -> None:
        connection.execute(
            """
            UPDATE payment_service.payments SET status = 'FAILED', failure_reason = %s, updated_at = %s
             WHERE id = %s
            """,
            (payment.failure_reason, now, payment.id),
        )

    def add_refunded_amount(self, connection: Connection, payment_id: PaymentId, amount: int, now: datetime) -> None:
        connection.execute(
            """
            UPDATE payment_service.payments
               SET status = 'REFUNDED', refunded_amount = refunded_amount + %s, updated_at = %s
             WHERE id = %s
            """,
            (amount, now, payment_id),
        )

    def mark_reversal_due(self, payment_id: PaymentId, now: datetime) -> Payment:
        """The gateway view shows money for a FAILED payment: recorded before it moves, until `mark_reversed`."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE payment_service.payments SET owed_since = %s WHERE id = %s AND owed_since IS NULL",
                (now, payment_id),
            )
            return self.lock(connection, payment_id)

    def mark_reversed(self, payment_id: PaymentId, due_since: datetime) -> None:
        """The reversal that was due since then is done; another caller may have seen newer money since."""
        self._execute(
            "UPDATE payment_service.payments SET owed_since = NULL WHERE id = %s AND owed_since = %s",
            (payment_id, due_since),
        )

    def mark_checked(self, payment_id: PaymentId, now: datetime) -> None:
        """Put it behind the others, so that payments that cannot be settled do not delay the rest."""
        self._execute("UPDATE payment_service.payments SET updated_at = %s WHERE id = %s", (now, payment_id))

    def add_gateway_answer(self, payment_id: PaymentId, call: str, status: int, answer: Any) -> None:
        """Keep an answer of the payment gateway in full."""
        self._execute(
            "INSERT INTO payment_service.portone_answers (payment_id, call, status, answer) VALUES (%s, %s, %s, %s)",
            (payment_id, call, status, json.dumps(answer)),
        )

    # -- reads -------------------------------------------------------------------------------------------------------

    def find(self, payment_id: PaymentId) -> Payment | None:
        row = self._database.row(f"{_PAYMENTS} WHERE id = %s", (payment_id,))
        return _payment(row) if row else None

    def find_by_key(self, payment_key: str) -> Payment | None:
        row = self._database.row(f"{_PAYMENTS} WHERE payment_key = %s", (payment_key,))
        return _payment(row) if row else None

    def find_active(self, reservation_id: ReservationId) -> Payment | None:
        """The reservation's payment that did not fail: there is at most one."""
        return next(iter(self.active_of([reservation_id])), None)

    def active_of(self, reservation_ids: Sequence[ReservationId]) -> list[Payment]:
        """The payments of these reservations that did not fail."""
        rows = self._database.rows(
            f"{_PAYMENTS} WHERE reservation_id = ANY(%s) AND status <> 'FAILED'", (list(reservation_ids),)
        )
        return [_payment(row) for row in rows]

    def of_user(self, user_id: UserId, limit: int, offset: int) -> tuple[list[Payment], int]:
        """One page, newest first, and how many payments there are in all; one round trip."""
        rows = self._database.rows(
            f"""
            WITH mine AS ({_PAYMENTS} WHERE user_id = %s),
                 paged AS (SELECT * FROM mine ORDER BY created_at DESC, id DESC LIMIT %s OFFSET %s)
            SELECT paged.*, total FROM (SELECT count(*) AS total FROM mine) AS counted LEFT JOIN paged ON true
             ORDER BY created_at DESC, id DESC
            """,
            (user_id, limit, offset),
        )
        return [_payment(row) for row in rows if row["id"]], int(rows[0]["total"])

    def failed_to_check(self, now: datetime, since: datetime, limit: int) -> list[Payment]:
        """FAILED payments for which money may have been paid since: the wait grows by half with each check."""
        rows = self._database.rows(
            f"""
            {_PAYMENTS} WHERE status = 'FAILED' AND owed_since IS NULL AND created_at > %(since)s
               AND %(now)s - updated_at > (updated_at - created_at) / 2 + interval '10 seconds'
             ORDER BY updated_at LIMIT %(limit)s
            """,
            {"now": now, "since": since, "limit": limit},
        )
        return [_payment(row) for row in rows]

    def with_reversal_due(self, limit: int) -> list[Payment]:
        rows = self._database.rows(f"{_PAYMENTS} WHERE owed_since IS NOT NULL ORDER BY updated_at LIMIT %s", (limit,))
        return [_payment(row) for row in rows]

    def pending_since(self, before: datetime, limit: int) -> list[Payment]:
        rows = self._database.rows(
            f"{_PAYMENTS} WHERE status = 'PENDING' AND created_at < %s ORDER BY updated_at LIMIT %s", (before, limit)
        )
        return [_payment(row) for row in rows]

    def count_unsettled(self, before: datetime) -> int:
        """How many payments are PENDING since `before`, or FAILED with a reversal due."""
        return int(
            self._database.rows(
                """
                SELECT (SELECT count(*) FROM payment_service.payments WHERE status = 'PENDING' AND created_at < %s)
                     + (SELECT count(*) FROM payment_service.payments WHERE owed_since IS NOT NULL) AS unsettled
                """,
                (before,),
            )[0]["unsettled"]
        )

    def _execute(self, sql: str, parameters: tuple[Any, ...]) -> None:
        with self._database.transaction() as connection:
            connection.execute(sql, parameters)


def _payment(row: Row) -> Payment:
    return Payment(
        id=PaymentId(row["id"]),
        payment_key=row["payment_key"],
        reservation_id=ReservationId(row["reservation_id"]),
        event_id=EventId(row["event_id"]),
        user_id=UserId(row["user_id"]),
        order_name=row["order_name"],
        amount=row["amount"],
        method=row["method"],
        status=PaymentStatus(row["status"]),
        created_at=row["created_at"],
        preregistered_at=row["preregistered_at"],
        portone_transaction_id=row["portone_transaction_id"],
        failure_reason=row["failure_reason"],
        refunded_amount=row["refunded_amount"],
        paid_at=row["paid_at"],
        reversal_due_since=row["owed_since"],
    )
