"""Reservations in Postgres: every change of state is one transaction with its outbox row.

Each change locks the reservation's row first, so of a release, an expiry and a confirmation that race one wins and
the others see its result.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import errors

from common.contracts.payable import GUARD_SECONDS
from common.domain.shared_errors import HoldExpired, NotFound, QueueTokenInvalid
from common.messaging.messages import ReservationCancelled, ReservationConfirmed
from common.messaging.outbox import Outbox
from common.stores.postgres import Connection, Database, Parameters, Row
from functions.reservations.domain.cancellation_fee import fee_percent
from functions.reservations.domain.errors import HoldExists, NotCancellable, PaymentStarted, SeatTaken
from functions.reservations.domain.reservation import (
    FOR_WANT_OF_MONEY,
    CancelReason,
    Reservation,
    Seat,
    Status,
    ticket_number,
)
from functions.reservations.usecases.hold_seats import GUARD, Holds

_SEATS = """
json_agg(json_build_object('id', s.seat_id, 'number', s.number, 'grade', s.grade, 'price', s.price) ORDER BY s.seat_id)
"""
_SELECT = f"""
SELECT r.*, (SELECT {_SEATS} FROM reservation_service.reservation_seats s WHERE s.reservation_id = r.id) AS seats
  FROM reservation_service.reservations r
"""


class ReservationStore:
    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    # -- making one ---------------------------------------------------------------------------------------------

    def add(self, reservation: Reservation, now: datetime) -> None:
        """Write a PENDING reservation, or refuse SeatTaken, HoldExists or, where its admission has bought already,
        QueueTokenInvalid.

        The unique indexes decide, whatever Redis remembers. What stands in the way may be a hold whose time is up and
        which nobody has swept yet: that one is expired here, and the seats are ours.
        """
        try:
            self._insert(reservation)
        except errors.UniqueViolation:
            self._expire_in_the_way(reservation, now)
            try:
                self._insert(reservation)
            except errors.UniqueViolation as still:
                raise self._refusal(reservation, still) from None

    def _insert(self, reservation: Reservation) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                """
                INSERT INTO reservation_service.reservations
                       (id, user_id, event_id, event_title, event_starts_at, status, total_amount, hold_expires_at,
                        guarded_until, created_at, admission)
                VALUES (%s, %s, %s, %s, %s, 'PENDING', %s, %s, %s, %s, %s)
                """,
                (
                    reservation.id,
                    reservation.user_id,
                    reservation.event_id,
                    reservation.event_title,
                    reservation.event_starts_at,
                    reservation.total_amount,
                    reservation.hold_expires_at,
                    reservation.hold_expires_at + timedelta(seconds=GUARD_SECONDS),
                    reservation.created_at,
                    reservation.admission,
                ),
            )
            self._insert_seats(connection, reservation, reservation.seats)

    def _insert_seats(self, connection: Connection, reservation: Reservation, chosen: Iterable[Seat]) -> None:
        # In the order of their ids: two buyers after the same seats wait for one another rather than deadlock.
        seats = sorted(chosen, key=lambda seat: seat.id)
        connection.execute(
            """
            INSERT INTO reservation_service.reservation_seats (reservation_id, event_id, seat_id, number, grade, price)
            SELECT %s, %s, * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::int[])
            """,
            (
                reservation.id,
                reservation.event_id,
                [seat.id for seat in seats],
                [seat.number for seat in seats],
                [seat.grade for seat in seats],
                [seat.price for seat in seats],
            ),
        )

    def _expire_in_the_way(self, reservation: Reservation, now: datetime) -> None:
        with self._database.transaction() as connection:
            overdue = _lock(
                connection,
                """
                WHERE r.status = 'PENDING' AND r.hold_expires_at <= %(now)s
                  AND (r.user_id = %(user)s AND r.event_id = %(event)s
                       OR r.id IN (SELECT reservation_id FROM reservation_service.reservation_seats
                                    WHERE event_id = %(event)s AND seat_id = ANY(%(seats)s) AND live))
                ORDER BY r.id FOR UPDATE
                """,
                {
                    "now": now,
                    "user": reservation.user_id,
                    "event": reservation.event_id,
                    "seats": reservation.seat_ids,
                },
            )
            for each in overdue:
                self.cancel(connection, each, CancelReason.HOLD_TIMEOUT, now)

    def _refusal(self, reservation: Reservation, violation: errors.UniqueViolation) -> Exception:
        if violation.diag.constraint_name == "one_live_hold":
            held = self._database.row(
                """
                SELECT id FROM reservation_service.reservations
                 WHERE user_id = %s AND event_id = %s AND status = 'PENDING'
                """,
                (reservation.user_id, reservation.event_id),
            )
            return HoldExists(reservationId=str(held["id"])) if held else HoldExists()
        if violation.diag.constraint_name == "one_purchase_an_admission":
            return QueueTokenInvalid()  # as it will be to the next who shows it
        taken = self._database.rows(
            """
            SELECT seat_id FROM reservation_service.reservation_seats
             WHERE event_id = %s AND seat_id = ANY(%s) AND live AND reservation_id <> %s ORDER BY seat_id
            """,
            (reservation.event_id, reservation.seat_ids, reservation.id),
        )
        return SeatTaken(seatIds=[str(row["seat_id"]) for row in taken])

    # -- changing one -------------------------------------------------------------------------------------------

    def change(self, reservation: Reservation, seats: tuple[Seat, ...], holds: Holds, now: datetime) -> Reservation:
        """The same hold on other seats, until the same time; on any refusal the old seats stay held (RSV-002)."""
        wanted = replace(reservation, seats=seats, total_amount=sum(seat.price for seat in seats))
        try:
            return self._change(wanted, holds, now)
        except errors.UniqueViolation:
            self._expire_in_the_way(wanted, now)
            try:
                return self._change(wanted, holds, now)
            except errors.UniqueViolation as still:
                raise self._refusal(wanted, still) from None

    def _change(self, wanted: Reservation, holds: Holds, now: datetime) -> Reservation:
        """Redis is asked under the row's lock, too, and told what to forget before it is given up: of two changes at
        once the second would otherwise forget seats of the first, or keep them from everybody."""
        with self._database.transaction() as connection:
            held = self.locked(connection, wanted.id)
            if held is None or not held.holds_at(now):
                raise HoldExpired()
            if held.payment_started_at is not None:
                raise PaymentStarted()
            fresh = [seat for seat in wanted.seats if seat.id not in held.seat_ids]
            fresh_ids = [seat.id for seat in fresh]
            taken = holds.take(held.event_id, held.id, fresh_ids, held.hold_expires_at - now + GUARD, now)
            if taken:
                raise SeatTaken(seatIds=[str(seat) for seat in taken])
            connection.execute(
                "DELETE FROM reservation_service.reservation_seats WHERE reservation_id = %s AND NOT seat_id = ANY(%s)",
                (wanted.id, wanted.seat_ids),
            )
            try:
                self._insert_seats(connection, wanted, fresh)
            except errors.UniqueViolation:
                holds.release(held.event_id, held.id, fresh_ids)  # before the rollback, which ends the lock
                raise
            connection.execute(
                "UPDATE reservation_service.reservations SET total_amount = %s WHERE id = %s",
                (wanted.total_amount, wanted.id),
            )
            holds.release(held.event_id, held.id, [seat for seat in held.seat_ids if seat not in wanted.seat_ids])
            return replace(held, seats=wanted.seats, total_amount=wanted.total_amount)

    # -- ending one ---------------------------------------------------------------------------------------------

    def locked(self, connection: Connection, reservation_id: UUID) -> Reservation | None:
        """The reservation as it is, and stays until this transaction ends."""
        found = _lock(connection, "WHERE r.id = %s FOR UPDATE", (reservation_id,))
        return found[0] if found else None

    def cancel(
        self,
        connection: Connection,
        reservation: Reservation,
        reason: CancelReason,
        now: datetime,
        refund_amount: int = 0,
        fee: int = 0,
        payment_id: UUID | None = None,
    ) -> None:
        """CANCELLED, its seats free, and ReservationCancelled told; the row is locked by the caller."""
        connection.execute(
            """
            UPDATE reservation_service.reservations
               SET status = 'CANCELLED', cancel_reason = %s, cancelled_at = %s, refund_amount = %s, fee = %s,
                   payment_id = coalesce(%s, payment_id)
             WHERE id = %s
            """,
            (reason, now, refund_amount, fee, payment_id, reservation.id),
        )
        connection.execute(
            "UPDATE reservation_service.reservation_seats SET live = false WHERE reservation_id = %s",
            (reservation.id,),
        )
        self._tell_cancelled(connection, reservation, reason, now, refund_amount)

    def confirm(self, connection: Connection, reservation: Reservation, payment_id: UUID, now: datetime) -> bool:
        """CONFIRMED with a ticket, and ReservationConfirmed told; the row is locked by the caller.

        A reservation that was cancelled before its money came gets its seats back if all are free, and its admission
        has not been used for another; False if not.
        """
        try:
            with connection.transaction():  # a savepoint: a seat taken meanwhile must not undo the caller's work
                connection.execute(
                    """
                    UPDATE reservation_service.reservation_seats SET live = true
                     WHERE reservation_id = %s AND NOT live
                    """,
                    (reservation.id,),
                )
                connection.execute(
                    """
                    UPDATE reservation_service.reservations
                       SET status = 'CONFIRMED', payment_id = %s, confirmed_at = %s, ticket_number = %s,
                           cancelled_at = NULL, cancel_reason = NULL
                     WHERE id = %s
                    """,
                    (payment_id, now, ticket_number(reservation.id), reservation.id),
                )
        except errors.UniqueViolation:
            return False
        self._outbox.write(
            connection,
            ReservationConfirmed(
                reservation_id=reservation.id,
                event_id=reservation.event_id,
                seat_ids=reservation.seat_ids,
                confirmed_at=now,
            ),
            user_id=reservation.user_id,
        )
        return True

    def give_back(self, connection: Connection, reservation: Reservation, payment_id: UUID, now: datetime) -> None:
        """The seats are gone and the money came: say again that it is cancelled, now with a refund."""
        connection.execute(
            "UPDATE reservation_service.reservations SET payment_id = %s, refund_amount = total_amount WHERE id = %s",
            (payment_id, reservation.id),
        )
        reason = reservation.cancel_reason or CancelReason.HOLD_TIMEOUT
        self._tell_cancelled(connection, reservation, reason, now, reservation.total_amount)

    def _tell_cancelled(
        self, connection: Connection, reservation: Reservation, reason: CancelReason, now: datetime, refund: int
    ) -> None:
        self._outbox.write(
            connection,
            ReservationCancelled(
                reservation_id=reservation.id,
                event_id=reservation.event_id,
                seat_ids=reservation.seat_ids,
                cancelled_at=now,
                reason=reason,
                refund_amount=refund,
            ),
            user_id=reservation.user_id,
        )

    def release(self, reservation_id: UUID, user_id: UUID, now: datetime) -> Reservation | None:
        """Cancel a user's own PENDING reservation; None if there is none such. The state found is in the answer."""
        with self._database.transaction() as connection:
            reservation = self.locked(connection, reservation_id)
            if reservation is None or reservation.user_id != user_id:
                return None
            if reservation.status is Status.PENDING:
                self.cancel(connection, reservation, CancelReason.USER_REQUEST, now)
            self._forsake(connection, reservation)
            return reservation

    def _forsake(self, connection: Connection, reservation: Reservation) -> None:
        """Its buyer wants it no more: should its money come yet, it goes back rather than buy the seats after all."""
        if reservation.cancel_reason in FOR_WANT_OF_MONEY:
            connection.execute(
                "UPDATE reservation_service.reservations SET cancel_reason = 'USER_REQUEST' WHERE id = %s",
                (reservation.id,),
            )

    def cancel_own(self, reservation_id: UUID, user_id: UUID, now: datetime) -> Reservation:
        """Cancel a user's own reservation at the fee of the day; as it is then, cancelled here or before (RSV-006).

        Raises NotFound and NotCancellable.
        """
        with self._database.transaction() as connection:
            reservation = self.locked(connection, reservation_id)
            if reservation is None or reservation.user_id != user_id:
                raise NotFound()
            if reservation.status is Status.CANCELLED:
                self._forsake(connection, reservation)
                return reservation
            fee, refund = 0, 0
            if self.is_event_cancelled(connection, reservation):  # its turn is coming: all of it back, whatever the day
                refund = reservation.total_amount if reservation.status is Status.CONFIRMED else 0
                self.cancel(connection, reservation, CancelReason.EVENT_CANCELLED, now, refund)
                return replace(reservation, status=Status.CANCELLED, fee=0, refund_amount=refund)
            if reservation.status is Status.CONFIRMED:
                percent = fee_percent(
                    now,
                    reservation.confirmed_at or now,
                    reservation.event_starts_at,
                    rescheduled=reservation.rescheduled_at is not None,
                )
                if percent is None:
                    raise NotCancellable()
                fee = reservation.total_amount * percent // 100
                refund = reservation.total_amount - fee
            self.cancel(connection, reservation, CancelReason.USER_REQUEST, now, refund, fee)
            return replace(reservation, status=Status.CANCELLED, fee=fee, refund_amount=refund)

    def expire(self, now: datetime, limit: int) -> list[Reservation]:
        """Cancel reservations whose hold is over (RSV-007), oldest first; those it cancelled.

        Rows that someone else has locked are left to him: he is confirming or releasing them.
        """
        with self._database.transaction() as connection:
            overdue = _lock(
                connection,
                """
                WHERE r.status = 'PENDING' AND r.hold_expires_at <= %s
                ORDER BY r.hold_expires_at LIMIT %s FOR UPDATE SKIP LOCKED
                """,
                (now, limit),
            )
            for reservation in overdue:
                self.cancel(connection, reservation, CancelReason.HOLD_TIMEOUT, now)
            return overdue

    # -- what becomes of its event --------------------------------------------------------------------------------

    def event_cancelled(self, connection: Connection, event_id: UUID, now: datetime) -> None:
        """Note that an event is off: `cancel_for_events` does the rest, and money that comes yet goes back."""
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_lock_of(event_id),))
        connection.execute(
            """
            INSERT INTO reservation_service.cancelled_events (event_id, cancelled_at) VALUES (%s, %s)
            ON CONFLICT DO NOTHING
            """,
            (event_id, now),
        )

    def is_event_cancelled(self, connection: Connection, reservation: Reservation) -> bool:
        """Whether a reservation's event is off. If not, the reservation, which the caller has locked, may be confirmed:
        a cancellation of the event that comes right then will see it."""
        if reservation.status is Status.CANCELLED:
            # For a live one's row lock `cancel_for_events` waits. One that comes back is in no row it looks at.
            connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_lock_of(reservation.event_id),))
        row = connection.execute(
            "SELECT 1 FROM reservation_service.cancelled_events WHERE event_id = %s", (reservation.event_id,)
        ).fetchone()
        return row is not None

    def cancel_for_events(self, now: datetime, limit: int) -> list[Reservation]:
        """Cancel reservations of cancelled events, at most `limit`, and give all of their money back (EVT-028); those
        it cancelled. An event with none left is seen through.

        Each batch is a transaction: die in one, and the next goes on where the last one ended. Two at once take turns.
        """
        with self._database.transaction() as connection:
            event = connection.execute(
                """
                SELECT event_id FROM reservation_service.cancelled_events
                 WHERE finished_at IS NULL ORDER BY cancelled_at LIMIT 1 FOR UPDATE
                """
            ).fetchone()
            if event is None:
                return []
            live = _lock(
                connection,
                "WHERE r.event_id = %s AND r.status IN ('PENDING', 'CONFIRMED') ORDER BY r.id LIMIT %s FOR UPDATE",
                (event["event_id"], limit),
            )
            for reservation in live:
                paid = reservation.total_amount if reservation.status is Status.CONFIRMED else 0
                self.cancel(connection, reservation, CancelReason.EVENT_CANCELLED, now, paid)
            if not live:
                connection.execute(
                    "UPDATE reservation_service.cancelled_events SET finished_at = %s WHERE event_id = %s",
                    (now, event["event_id"]),
                )
            return live

    def event_rescheduled(self, connection: Connection, event_id: UUID, starts_at: datetime, now: datetime) -> None:
        """Move the show of every reservation that was booked for another time and lives, or will again should its money
        come after its hold; their refund is free (EVT-029).
        """
        connection.execute(
            """
            UPDATE reservation_service.reservations SET event_starts_at = %(starts_at)s, rescheduled_at = %(now)s
             WHERE event_id = %(event_id)s AND (status <> 'CANCELLED' OR cancel_reason = ANY(%(for_want_of_money)s))
               AND event_starts_at <> %(starts_at)s
            """,
            {
                "event_id": event_id,
                "starts_at": starts_at,
                "now": now,
                "for_want_of_money": [str(reason) for reason in FOR_WANT_OF_MONEY],
            },
        )

    # -- reading ------------------------------------------------------------------------------------------------

    def tally(self, event_id: UUID) -> Row:
        """How many reservations of an event there are, by what became of them: `EventTallyAnswer`'s fields."""
        return self._database.rows(
            """
            SELECT count(*) FILTER (WHERE status = 'PENDING') AS pending,
                   count(*) FILTER (WHERE status = 'CONFIRMED') AS confirmed,
                   count(*) FILTER (WHERE cancel_reason = 'EVENT_CANCELLED') AS event_cancelled,
                   coalesce(sum(refund_amount) FILTER (WHERE cancel_reason = 'EVENT_CANCELLED'), 0) AS refund_amount,
                   EXISTS (SELECT FROM reservation_service.cancelled_events
                            WHERE event_id = %(event_id)s AND finished_at IS NOT NULL) AS seen_through
              FROM reservation_service.reservations
             WHERE event_id = %(event_id)s
            """,
            {"event_id": event_id},
        )[0]

    def ledger(self, event_id: UUID, after: UUID | None, limit: int) -> list[Row]:
        """The live reservations of an event in the order of their ids, `limit` of those after one: reservation_id,
        status, seat_ids, hold_expires_at. Their status decides, not what the seats' index goes by."""
        return self._database.rows(
            """
            SELECT r.id AS reservation_id, r.status, r.hold_expires_at,
                   array(SELECT seat_id FROM reservation_service.reservation_seats s
                          WHERE s.reservation_id = r.id) AS seat_ids
              FROM reservation_service.reservations r
             WHERE r.event_id = %(event_id)s AND r.status IN ('PENDING', 'CONFIRMED')
               AND (%(after)s::uuid IS NULL OR r.id > %(after)s)
             ORDER BY r.id LIMIT %(limit)s
            """,
            {"event_id": event_id, "after": after, "limit": limit},
        )

    def live(self, reservation_ids: Sequence[UUID]) -> dict[UUID, Reservation]:
        """Those of them that are PENDING or CONFIRMED."""
        rows = self._database.rows(
            f"{_SELECT} WHERE r.id = ANY(%s) AND r.status IN ('PENDING', 'CONFIRMED')", (list(reservation_ids),)
        )
        return {row["id"]: _reservation(row) for row in rows}

    def keep(self, reservation_id: UUID, user_id: UUID, now: datetime, until: datetime | None) -> Reservation | None:
        """The user's reservation, about to be paid for: its seats are settled now (PaymentStarted from here on).

        While its hold lives, the hold is first lengthened to `until` (never shortened).
        """
        with self._database.transaction() as connection:
            reservation = self.locked(connection, reservation_id)
            if reservation is None or reservation.user_id != user_id:
                return None
            if reservation.holds_at(now):
                connection.execute(
                    """
                    UPDATE reservation_service.reservations
                       SET hold_expires_at =
                             greatest(hold_expires_at, least(coalesce(%s, hold_expires_at), guarded_until)),
                           payment_started_at = coalesce(payment_started_at, %s)
                     WHERE id = %s
                    """,
                    (until, now, reservation_id),
                )
            return reservation

    def holding(self, event_id: UUID, seat_ids: Sequence[UUID]) -> list[Reservation]:
        """The PENDING reservations that have any of these seats."""
        rows = self._database.rows(
            f"""
            {_SELECT} WHERE r.status = 'PENDING' AND r.id IN (
                SELECT reservation_id FROM reservation_service.reservation_seats
                 WHERE event_id = %s AND seat_id = ANY(%s) AND live)
            """,
            (event_id, list(seat_ids)),
        )
        return [_reservation(row) for row in rows]

    def find(self, reservation_id: UUID, user_id: UUID) -> Reservation | None:
        row = self._database.row(f"{_SELECT} WHERE r.id = %s AND r.user_id = %s", (reservation_id, user_id))
        return _reservation(row) if row else None

    def of_user(self, user_id: UUID, status: Status | None, limit: int, offset: int) -> tuple[list[Reservation], int]:
        """A page, newest first, and how many there are in all; one round trip."""
        parameters: Sequence[Any] = (user_id, status, status)
        rows = self._database.rows(
            f"""
            WITH mine AS ({_SELECT} WHERE r.user_id = %s AND (%s::text IS NULL OR r.status = %s)),
                 paged AS (SELECT * FROM mine ORDER BY created_at DESC, id DESC LIMIT %s OFFSET %s)
            SELECT paged.*, total FROM (SELECT count(*) AS total FROM mine) AS counted LEFT JOIN paged ON true
             ORDER BY created_at DESC, id DESC
            """,
            (*parameters, limit, offset),
        )
        return [_reservation(row) for row in rows if row["id"]], int(rows[0]["total"])


def _lock_of(event_id: UUID) -> int:
    """An event's advisory lock: 64 of its id's random bits, signed."""
    return int.from_bytes(event_id.bytes[8:], signed=True)


def _lock(connection: Connection, which: str, parameters: Parameters) -> list[Reservation]:
    """Reservations as they are, and stay until this transaction ends; `which` ends in FOR UPDATE.

    In two statements: one that had to wait for a row gets the row as it is by then, but its seats, which are rows of
    another table, as they were when it began (PostgreSQL, 13.2.1 Read Committed).
    """
    rows = connection.execute(f"SELECT r.* FROM reservation_service.reservations r {which}", parameters).fetchall()
    if not rows:
        return []
    found = connection.execute(
        f"""
        SELECT s.reservation_id, {_SEATS} AS seats FROM reservation_service.reservation_seats s
         WHERE s.reservation_id = ANY(%s) GROUP BY s.reservation_id
        """,
        ([row["id"] for row in rows],),
    )
    seats = {row["reservation_id"]: row["seats"] for row in found}
    return [_reservation({**row, "seats": seats[row["id"]]}) for row in rows]


def _reservation(row: Row) -> Reservation:
    reason = row["cancel_reason"]
    return Reservation(
        id=row["id"],
        user_id=row["user_id"],
        event_id=row["event_id"],
        event_title=row["event_title"],
        event_starts_at=row["event_starts_at"],
        status=Status(row["status"]),
        seats=tuple(Seat(UUID(seat["id"]), seat["number"], seat["grade"], seat["price"]) for seat in row["seats"]),
        total_amount=row["total_amount"],
        hold_expires_at=row["hold_expires_at"],
        created_at=row["created_at"],
        cancel_reason=CancelReason(reason) if reason else None,
        payment_id=row["payment_id"],
        ticket_number=row["ticket_number"],
        confirmed_at=row["confirmed_at"],
        cancelled_at=row["cancelled_at"],
        payment_started_at=row["payment_started_at"],
        fee=row["fee"],
        refund_amount=row["refund_amount"],
        rescheduled_at=row["rescheduled_at"],
        admission=row["admission"],
    )
