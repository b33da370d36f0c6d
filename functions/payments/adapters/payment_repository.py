"""Payments and refunds in Postgres: every change of state is one transaction with its outbox row (PAY-012, PAY-013)."""

import json
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from psycopg import errors

from common.messaging.messages import PaymentFailed, PaymentRefunded, PaymentSuccess
from common.messaging.outbox import Outbox
from common.stores.postgres import Connection, Database, Row, database
from functions.payments.domain.errors import PaymentInProgress
from functions.payments.domain.payment import Payment, Status
from functions.payments.domain.payment_gateway import BankView
from functions.payments.domain.refund import Refund

_PAYMENTS = "SELECT * FROM payment_service.payments"
_REFUNDS_DUE = "SELECT * FROM payment_service.refunds WHERE done_at IS NULL"


class PaymentStore:
    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    def add(self, payment: Payment) -> bool:
        """Write a PENDING payment; False when its key is known already.

        Raises PaymentInProgress while another payment of the reservation is alive: it is paid at most once.
        """
        try:
            with self._database.transaction() as connection:
                added = connection.execute(
                    """
                    INSERT INTO payment_service.payments
                           (id, payment_key, reservation_id, event_id, user_id, order_name, amount, method, status,
                            created_at)
                    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'PENDING', %s)
                    ON CONFLICT (payment_key) DO NOTHING
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
        except errors.UniqueViolation:
            # The same request twice at the same moment collides on the reservation as well as on its key.
            if self.by_key(payment.payment_key) is not None:
                return False
            raise PaymentInProgress() from None

    def preregistered(self, payment_id: UUID, now: datetime) -> None:
        self._execute("UPDATE payment_service.payments SET preregistered_at = %s WHERE id = %s", (now, payment_id))

    def succeed(self, payment_id: UUID, bank: BankView, now: datetime) -> Payment:
        """PENDING → SUCCESS with PaymentSuccess; the payment as it is then, changed here or before."""
        with self._database.transaction() as connection:
            payment = self._locked(connection, payment_id)
            if payment.status is not Status.PENDING:
                return payment
            paid_at = bank.paid_at or now
            connection.execute(
                """
                UPDATE payment_service.payments
                   SET status = 'SUCCESS', paid_at = %s, portone_transaction_id = %s, updated_at = %s
                 WHERE id = %s
                """,
                (paid_at, bank.transaction_id, now, payment_id),
            )
            self._outbox.write(
                connection,
                PaymentSuccess(
                    payment_id=payment.id,
                    payment_key=payment.payment_key,
                    reservation_id=payment.reservation_id,
                    amount=payment.amount,
                    paid_at=paid_at,
                    portone_transaction_id=bank.transaction_id,
                ),
                user_id=payment.user_id,
            )
            return self._locked(connection, payment_id)

    def fail(self, payment_id: UUID, reason: str, now: datetime) -> Payment:
        """PENDING → FAILED with PaymentFailed; the payment as it is then, changed here or before."""
        with self._database.transaction() as connection:
            payment = self._locked(connection, payment_id)
            if payment.status is not Status.PENDING:
                return payment
            connection.execute(
                """
                UPDATE payment_service.payments SET status = 'FAILED', failure_reason = %s, updated_at = %s
                 WHERE id = %s
                """,
                (reason, now, payment_id),
            )
            self._outbox.write(
                connection,
                PaymentFailed(
                    payment_id=payment.id,
                    payment_key=payment.payment_key,
                    reservation_id=payment.reservation_id,
                    amount=payment.amount,
                    failure_reason=reason,
                    failed_at=now,
                ),
                user_id=payment.user_id,
            )
            return self._locked(connection, payment_id)

    def owes_back(self, payment_id: UUID, now: datetime) -> Payment:
        """Money was seen at PortOne for a FAILED payment: on record before it moves, until `gave_back`."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE payment_service.payments SET owed_since = %s WHERE id = %s AND owed_since IS NULL",
                (now, payment_id),
            )
            return self._locked(connection, payment_id)

    def gave_back(self, payment_id: UUID, owed_since: datetime) -> None:
        """What was owed since then is with the buyer; somebody else may have seen newer money since."""
        self._execute(
            "UPDATE payment_service.payments SET owed_since = NULL WHERE id = %s AND owed_since = %s",
            (payment_id, owed_since),
        )

    def owe(self, connection: Connection, refund_id: UUID, reservation_id: UUID, amount: int, reason: str) -> bool:
        """Write a refund that is due, in the consumer's transaction; False when the reservation was never paid."""
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

    def refunded(self, refund: Refund, now: datetime) -> None:
        """The refund is done: SUCCESS → REFUNDED with PaymentRefunded, once."""
        with self._database.transaction() as connection:
            payment = self._locked(connection, refund.payment_id)
            done = connection.execute(
                "UPDATE payment_service.refunds SET done_at = %s WHERE id = %s AND done_at IS NULL", (now, refund.id)
            )
            if done.rowcount == 0:
                return
            connection.execute(
                """
                UPDATE payment_service.payments
                   SET status = 'REFUNDED', refunded_amount = refunded_amount + %s, updated_at = %s
                 WHERE id = %s
                """,
                (refund.amount, now, payment.id),
            )
            self._outbox.write(
                connection,
                PaymentRefunded(
                    payment_id=payment.id,
                    reservation_id=payment.reservation_id,
                    amount=refund.amount,
                    reason=refund.reason,
                    refunded_at=now,
                ),
                user_id=payment.user_id,
            )

    def refund_failed(self, refund_id: UUID, error: str) -> None:
        self._execute(
            "UPDATE payment_service.refunds SET attempts = attempts + 1, last_error = %s WHERE id = %s",
            (error, refund_id),
        )

    def refund(self, refund_id: UUID) -> Refund | None:
        row = self._database.row(f"{_REFUNDS_DUE} AND id = %s", (refund_id,))
        return _refund(row) if row else None

    def refunds_due(self, limit: int) -> list[Refund]:
        rows = self._database.rows(f"{_REFUNDS_DUE} ORDER BY attempts, created_at LIMIT %s", (limit,))
        return [_refund(row) for row in rows]

    def refund_tally(self, event_id: UUID, reason: str) -> Row:
        """How far an event's refunds for `reason` have come: `RefundTallyAnswer`'s fields."""
        return self._database.rows(
            """
            SELECT count(*) FILTER (WHERE done_at IS NULL) AS due, count(done_at) AS done,
                   coalesce(sum(r.amount) FILTER (WHERE done_at IS NULL), 0) AS amount_due,
                   coalesce(sum(r.amount) FILTER (WHERE done_at IS NOT NULL), 0) AS amount_done
              FROM payment_service.refunds r JOIN payment_service.payments p ON p.id = r.payment_id
             WHERE p.event_id = %s AND r.reason = %s
            """,
            (event_id, reason),
        )[0]

    def keep_answer(self, payment_id: UUID, call: str, status: int, answer: Any) -> None:
        """Keep what PortOne answered, whole."""
        self._execute(
            "INSERT INTO payment_service.portone_answers (payment_id, call, status, answer) VALUES (%s, %s, %s, %s)",
            (payment_id, call, status, json.dumps(answer)),
        )

    def find(self, payment_id: UUID) -> Payment | None:
        row = self._database.row(f"{_PAYMENTS} WHERE id = %s", (payment_id,))
        return _payment(row) if row else None

    def by_key(self, payment_key: str) -> Payment | None:
        row = self._database.row(f"{_PAYMENTS} WHERE payment_key = %s", (payment_key,))
        return _payment(row) if row else None

    def of_user(self, user_id: UUID, limit: int, offset: int) -> tuple[list[Payment], int]:
        """A page, newest first, and how many there are in all; one round trip."""
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

    def failed_to_look_at(self, now: datetime, since: datetime, limit: int) -> list[Payment]:
        """FAILED payments for which money might have come yet; after each look the next is half as long again away."""
        rows = self._database.rows(
            f"""
            {_PAYMENTS} WHERE status = 'FAILED' AND owed_since IS NULL AND created_at > %(since)s
               AND %(now)s - updated_at > (updated_at - created_at) / 2 + interval '10 seconds'
             ORDER BY updated_at LIMIT %(limit)s
            """,
            {"now": now, "since": since, "limit": limit},
        )
        return [_payment(row) for row in rows]

    def owed(self, limit: int) -> list[Payment]:
        """FAILED payments whose money is to be given back."""
        rows = self._database.rows(f"{_PAYMENTS} WHERE owed_since IS NOT NULL ORDER BY updated_at LIMIT %s", (limit,))
        return [_payment(row) for row in rows]

    def looked_at(self, payment_id: UUID, now: datetime) -> None:
        """Put it behind the others, so that some that cannot be settled do not hold up the rest."""
        self._execute("UPDATE payment_service.payments SET updated_at = %s WHERE id = %s", (now, payment_id))

    def pending_since(self, before: datetime, limit: int) -> list[Payment]:
        rows = self._database.rows(
            f"{_PAYMENTS} WHERE status = 'PENDING' AND created_at < %s ORDER BY updated_at LIMIT %s", (before, limit)
        )
        return [_payment(row) for row in rows]

    def unsettled(self, before: datetime) -> int:
        """How many are in the middle: PENDING since `before`, or FAILED with money that is to be given back."""
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

    def _locked(self, connection: Connection, payment_id: UUID) -> Payment:
        row = connection.execute(
            "SELECT * FROM payment_service.payments WHERE id = %s FOR UPDATE", (payment_id,)
        ).fetchone()
        if row is None:
            raise LookupError(f"payment {payment_id} vanished: payments are never deleted")
        return _payment(row)


def _payment(row: Row) -> Payment:
    return Payment(
        id=row["id"],
        payment_key=row["payment_key"],
        reservation_id=row["reservation_id"],
        event_id=row["event_id"],
        user_id=row["user_id"],
        order_name=row["order_name"],
        amount=row["amount"],
        method=row["method"],
        status=Status(row["status"]),
        created_at=row["created_at"],
        preregistered_at=row["preregistered_at"],
        portone_transaction_id=row["portone_transaction_id"],
        failure_reason=row["failure_reason"],
        refunded_amount=row["refunded_amount"],
        paid_at=row["paid_at"],
        owed_since=row["owed_since"],
    )


def _refund(row: Row) -> Refund:
    return Refund(row["id"], row["payment_id"], row["amount"], row["reason"], row["attempts"])


@cache
def payment_store() -> PaymentStore:
    """Here rather than in `composition`, which loads an HTTP client: who only reads payments needs none."""
    return PaymentStore(database(), Outbox())
