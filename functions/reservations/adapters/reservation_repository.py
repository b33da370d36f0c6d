"""Reservations in Postgres. Each method that changes one writes its message to the outbox in the same transaction.

A use case locks the reservation's row before it decides, so that of a release, an expiry and a confirmation that race,
one wins and the others see its result.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import errors

from common.domain.ids import EventId, PaymentId, ReservationId, SeatId, UserId
from common.domain.shared_errors import AccountClosing
from common.messaging.messages import ReservationCancelled, ReservationConfirmed
from common.messaging.outbox import Outbox
from common.stores.postgres import Connection, Database, Parameters, Row
from functions.reservations.domain.cancellation import Cancellation
from functions.reservations.domain.errors import ConflictKind, ReservationConflict
from functions.reservations.domain.purchase_limits import Usage
from functions.reservations.domain.reservation import (
    UNPAID_CANCEL_REASONS,
    CancelReason,
    LiveSeats,
    Reservation,
    ReservationCounts,
    Seat,
    Status,
)

_SEATS = """
json_agg(json_build_object('id', s.seat_id, 'number', s.number, 'grade', s.grade, 'price', s.price) ORDER BY s.seat_id)
"""
_SELECT = f"""
SELECT r.*, (SELECT {_SEATS} FROM reservation_service.reservation_seats s WHERE s.reservation_id = r.id) AS seats
  FROM reservation_service.reservations r
"""
_KIND_OF_INDEX = {"one_live_hold": ConflictKind.HOLD, "one_purchase_an_admission": ConflictKind.ADMISSION}


class ReservationRepository:
    """Methods that take a connection belong to the caller's transaction; the others read by themselves."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    # -- writing seats ------------------------------------------------------------------------------------------

    def add(self, connection: Connection, reservation: Reservation) -> None:
        """Raises ReservationConflict: the unique indexes decide, whatever Redis remembers. Raises AccountClosing.
        From here on the transaction has the lock of `lock_person`."""
        # A closing of the account waits for this transaction and sees the reservation, or this one sees the closing.
        connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_lock_of(reservation.user_id),))
        closing = connection.execute(
            "SELECT 1 FROM reservation_service.closing_accounts WHERE user_id = %s AND until > %s",
            (reservation.user_id, reservation.created_at),
        ).fetchone()
        if closing:
            raise AccountClosing()
        self.lock_person(connection, reservation)
        with _conflicts():
            connection.execute(
                """
                INSERT INTO reservation_service.reservations
                       (id, user_id, event_id, event_title, event_starts_at, status, total_amount, hold_expires_at,
                        guarded_until, created_at, person_limit, admission)
                VALUES (%s, %s, %s, %s, %s, 'PENDING', %s, %s, %s, %s, %s, %s)
                """,
                (
                    reservation.id,
                    reservation.user_id,
                    reservation.event_id,
                    reservation.event_title,
                    reservation.event_starts_at,
                    reservation.total_amount,
                    reservation.hold_expires_at,
                    reservation.hold_extendable_until,
                    reservation.created_at,
                    reservation.person_limit,
                    reservation.admission,
                ),
            )
            _insert_seats(connection, reservation, reservation.seats)

    def replace_seats(self, connection: Connection, changed: Reservation, added: Iterable[Seat]) -> None:
        """Write the seats and the amount of `changed`, of whose seats `added` are new. Raises ReservationConflict."""
        connection.execute(
            "DELETE FROM reservation_service.reservation_seats WHERE reservation_id = %s AND NOT seat_id = ANY(%s)",
            (changed.id, changed.seat_ids),
        )
        with _conflicts():
            _insert_seats(connection, changed, added)
        connection.execute(
            "UPDATE reservation_service.reservations SET total_amount = %s WHERE id = %s",
            (changed.total_amount, changed.id),
        )

    def pending_of(self, user_id: UserId, event_id: EventId) -> Reservation | None:
        """The user's PENDING reservation for an event."""
        row = self._database.row(
            f"{_SELECT} WHERE r.user_id = %s AND r.event_id = %s AND r.status = 'PENDING'", (user_id, event_id)
        )
        return _reservation(row) if row else None

    def seats_of_others(self, reservation: Reservation) -> list[SeatId]:
        """Those of its seats that other live reservations have."""
        rows = self._database.rows(
            """
            SELECT seat_id FROM reservation_service.reservation_seats
             WHERE event_id = %s AND seat_id = ANY(%s) AND live AND reservation_id <> %s ORDER BY seat_id
            """,
            (reservation.event_id, reservation.seat_ids, reservation.id),
        )
        return [SeatId(row["seat_id"]) for row in rows]

    # -- locking ------------------------------------------------------------------------------------------------

    def lock(self, connection: Connection, reservation_id: ReservationId) -> Reservation | None:
        """The reservation, which no other transaction can change until this one ends."""
        found = _lock(connection, "WHERE r.id = %s FOR UPDATE", (reservation_id,))
        return found[0] if found else None

    def lock_own(self, connection: Connection, reservation_id: ReservationId, user_id: UserId) -> Reservation | None:
        """The same; None if it is another user's."""
        reservation = self.lock(connection, reservation_id)
        return reservation if reservation is not None and reservation.user_id == user_id else None

    def lock_person(self, connection: Connection, reservation: Reservation) -> None:
        """Until this transaction ends, no other one gives the reservation's user seats of its event. Comes before any
        write, so that no transaction waits for the lock while another waits for its rows."""
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_lock_of(reservation.event_id, reservation.user_id),))

    def usage(self, connection: Connection, reservation: Reservation) -> Usage:
        """What else the user has; stays true while the caller has the lock of `lock_person`."""
        (row,) = connection.execute(
            """
            SELECT (SELECT count(*) FROM reservation_service.reservations r
                      JOIN reservation_service.reservation_seats s ON s.reservation_id = r.id
                     WHERE r.user_id = %(user)s AND r.event_id = %(event)s AND r.status IN ('PENDING', 'CONFIRMED')
                       AND r.id <> %(id)s) AS other_seats,
                   (SELECT count(*) FROM reservation_service.reservations WHERE admission = %(admission)s) AS holds
            """,
            {
                "user": reservation.user_id,
                "event": reservation.event_id,
                "id": reservation.id,
                "admission": reservation.admission,
            },
        ).fetchall()
        return Usage(**row)

    def lock_overdue_without_payment(self, connection: Connection, now: datetime, limit: int) -> list[Reservation]:
        """PENDING reservations whose hold has expired and that have no payment, oldest first. Skips rows that another
        transaction has locked: it is releasing them."""
        return _lock(
            connection,
            """
            WHERE r.status = 'PENDING' AND r.hold_expires_at <= %s
              AND r.payment_id IS NULL AND r.payment_started_at IS NULL
            ORDER BY r.hold_expires_at LIMIT %s FOR UPDATE SKIP LOCKED
            """,
            (now, limit),
        )

    def overdue_with_payment(self, now: datetime, limit: int) -> list[ReservationId]:
        """PENDING reservations whose hold has expired and that have a payment, oldest first."""
        rows = self._database.rows(
            """
            SELECT id FROM reservation_service.reservations
             WHERE status = 'PENDING' AND hold_expires_at <= %s
               AND (payment_id IS NOT NULL OR payment_started_at IS NOT NULL)
             ORDER BY hold_expires_at LIMIT %s
            """,
            (now, limit),
        )
        return [ReservationId(row["id"]) for row in rows]

    def lock_overdue_conflicts(
        self, connection: Connection, reservation: Reservation, now: datetime
    ) -> list[Reservation]:
        """PENDING reservations whose hold has expired and that have no payment, of the same user and event or with some
        of the same seats."""
        return _lock(
            connection,
            """
            WHERE r.status = 'PENDING' AND r.hold_expires_at <= %(now)s
              AND r.payment_id IS NULL AND r.payment_started_at IS NULL
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

    def lock_live_of_event(self, connection: Connection, event_id: EventId, limit: int) -> list[Reservation]:
        """PENDING and CONFIRMED reservations of an event."""
        return _lock(
            connection,
            "WHERE r.event_id = %s AND r.status IN ('PENDING', 'CONFIRMED') ORDER BY r.id LIMIT %s FOR UPDATE",
            (event_id, limit),
        )

    def lock_closing(
        self, connection: Connection, user_id: UserId, now: datetime, until: datetime
    ) -> list[Reservation]:
        """Keep the user from holding seats until then; their reservations that are live or that a payment may revive,
        of events to come."""
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_lock_of(user_id),))
        connection.execute(
            """
            INSERT INTO reservation_service.closing_accounts (user_id, until) VALUES (%s, %s)
            ON CONFLICT (user_id) DO UPDATE SET until = excluded.until
            """,
            (user_id, until),
        )
        return _lock(
            connection,
            """
            WHERE r.user_id = %(user)s AND (r.status = 'PENDING' OR r.event_starts_at > %(now)s)
              AND (r.status <> 'CANCELLED' OR r.cancel_reason = ANY(%(revivable)s))
            ORDER BY r.id FOR UPDATE
            """,
            {"user": user_id, "now": now, "revivable": [str(reason) for reason in UNPAID_CANCEL_REASONS]},
        )

    # -- changing one that the caller has locked -------------------------------------------------------------------

    def start_payment(
        self,
        connection: Connection,
        reservation_id: ReservationId,
        payment_id: PaymentId | None,
        now: datetime,
        hold_expires_at: datetime,
    ) -> None:
        connection.execute(
            """
            UPDATE reservation_service.reservations
               SET hold_expires_at = %s, payment_started_at = coalesce(payment_started_at, %s),
                   payment_id = coalesce(%s, payment_id)
             WHERE id = %s
            """,
            (hold_expires_at, now, payment_id, reservation_id),
        )

    def mark_payment_not_started(
        self, connection: Connection, reservation_id: ReservationId, payment_id: PaymentId | None
    ) -> None:
        connection.execute(
            """
            UPDATE reservation_service.reservations SET payment_started_at = NULL WHERE id = %s AND payment_id = %s
            """,
            (reservation_id, payment_id),
        )

    def cancel(self, connection: Connection, reservation: Reservation, cancellation: Cancellation) -> None:
        """CANCELLED, its seats free, and ReservationCancelled written."""
        connection.execute(
            """
            UPDATE reservation_service.reservations
               SET status = 'CANCELLED', cancel_reason = %s, cancelled_at = %s,
                   refund_amount = least(%s, total_amount), fee = %s, payment_id = coalesce(%s, payment_id)
             WHERE id = %s
            """,
            (
                cancellation.reason,
                cancellation.at,
                cancellation.refund_amount,
                cancellation.fee,
                cancellation.payment_id,
                reservation.id,
            ),
        )
        connection.execute(
            "UPDATE reservation_service.reservation_seats SET live = false WHERE reservation_id = %s",
            (reservation.id,),
        )
        self._write_cancelled(connection, reservation, cancellation)

    def refund(self, connection: Connection, reservation: Reservation, cancellation: Cancellation) -> None:
        """Its state stays as it is; the refund is noted, and ReservationCancelled written again, now with a refund."""
        connection.execute(
            "UPDATE reservation_service.reservations SET payment_id = %s, refund_amount = %s WHERE id = %s",
            (cancellation.payment_id, cancellation.refund_amount, reservation.id),
        )
        self._write_cancelled(connection, reservation, cancellation)

    def _write_cancelled(self, connection: Connection, reservation: Reservation, cancellation: Cancellation) -> None:
        self._outbox.write(
            connection,
            ReservationCancelled(
                reservation_id=reservation.id,
                event_id=reservation.event_id,
                seat_ids=list(reservation.seat_ids),
                cancelled_at=cancellation.at,
                reason=cancellation.reason,
                refund_amount=cancellation.refund_amount,
            ),
            user_id=reservation.user_id,
        )

    def mark_user_cancelled(self, connection: Connection, reservation_id: ReservationId) -> None:
        """A CANCELLED reservation's reason becomes USER_REQUEST."""
        connection.execute(
            "UPDATE reservation_service.reservations SET cancel_reason = 'USER_REQUEST' WHERE id = %s",
            (reservation_id,),
        )

    def confirm(
        self,
        connection: Connection,
        reservation: Reservation,
        payment_id: PaymentId,
        ticket_number: str,
        now: datetime,
    ) -> bool:
        """CONFIRMED with a ticket, its seats its own again, and ReservationConfirmed written.

        False if a seat belongs to another live reservation by now, or its admission has been used for another.
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
                    (payment_id, now, ticket_number, reservation.id),
                )
        except errors.UniqueViolation:
            return False
        self._outbox.write(
            connection,
            ReservationConfirmed(
                reservation_id=reservation.id,
                event_id=reservation.event_id,
                seat_ids=list(reservation.seat_ids),
                confirmed_at=now,
            ),
            user_id=reservation.user_id,
        )
        return True

    # -- cancelled and rescheduled events -------------------------------------------------------------------------

    def add_cancelled_event(self, connection: Connection, event_id: EventId, now: datetime) -> None:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_lock_of(event_id),))
        connection.execute(
            """
            INSERT INTO reservation_service.cancelled_events (event_id, cancelled_at) VALUES (%s, %s)
            ON CONFLICT DO NOTHING
            """,
            (event_id, now),
        )

    def is_event_cancelled(self, connection: Connection, reservation: Reservation) -> bool:
        """Whether the event of a reservation that the caller has locked is cancelled.

        If not, the caller may confirm the reservation: a cancellation of the event at the same time will see it.
        """
        if reservation.status is Status.CANCELLED:
            # `lock_live_of_event` waits for the row lock of a live reservation, but does not look for one that is
            # CANCELLED and about to be confirmed.
            connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_lock_of(reservation.event_id),))
        row = connection.execute(
            "SELECT 1 FROM reservation_service.cancelled_events WHERE event_id = %s", (reservation.event_id,)
        ).fetchone()
        return row is not None

    def lock_unfinished_cancelled_event(self, connection: Connection) -> EventId | None:
        """The first cancelled event that may have live reservations; two callers take turns."""
        row = connection.execute(
            """
            SELECT event_id FROM reservation_service.cancelled_events
             WHERE finished_at IS NULL ORDER BY cancelled_at LIMIT 1 FOR UPDATE
            """
        ).fetchone()
        return EventId(row["event_id"]) if row else None

    def finish_cancelled_event(self, connection: Connection, event_id: EventId, now: datetime) -> None:
        """Note that a cancelled event has no live reservation left."""
        connection.execute(
            "UPDATE reservation_service.cancelled_events SET finished_at = %s WHERE event_id = %s",
            (now, event_id),
        )

    def reschedule(
        self,
        connection: Connection,
        event_id: EventId,
        starts_at: datetime,
        now: datetime,
        revivable: Collection[CancelReason],
    ) -> None:
        """Move the event of its reservations that were made for another time: of the live ones, and of those cancelled
        for a `revivable` reason, which a late payment may confirm."""
        connection.execute(
            """
            UPDATE reservation_service.reservations SET event_starts_at = %(starts_at)s, rescheduled_at = %(now)s
             WHERE event_id = %(event_id)s AND (status <> 'CANCELLED' OR cancel_reason = ANY(%(revivable)s))
               AND event_starts_at <> %(starts_at)s
            """,
            {
                "event_id": event_id,
                "starts_at": starts_at,
                "now": now,
                "revivable": [str(reason) for reason in revivable],
            },
        )

    # -- reading ------------------------------------------------------------------------------------------------

    def count(self, event_id: EventId) -> ReservationCounts:
        row = self._database.rows(
            """
            SELECT count(*) FILTER (WHERE status = 'PENDING') AS pending,
                   count(*) FILTER (WHERE status = 'CONFIRMED') AS confirmed,
                   count(*) FILTER (WHERE cancel_reason = 'EVENT_CANCELLED') AS event_cancelled,
                   coalesce(sum(refund_amount) FILTER (WHERE cancel_reason = 'EVENT_CANCELLED'), 0) AS refund_amount,
                   EXISTS (SELECT FROM reservation_service.cancelled_events
                            WHERE event_id = %(event_id)s AND finished_at IS NOT NULL) AS all_cancelled
              FROM reservation_service.reservations
             WHERE event_id = %(event_id)s
            """,
            {"event_id": event_id},
        )[0]
        return ReservationCounts(**row)

    def live_seats(self, event_id: EventId, after: ReservationId | None, limit: int) -> list[LiveSeats]:
        """The live reservations of an event in the order of their ids, `limit` of those after one. Their status
        decides, not the seats' column `live`."""
        rows = self._database.rows(
            """
            SELECT r.id AS reservation_id, r.status,
                   array(SELECT seat_id FROM reservation_service.reservation_seats s
                          WHERE s.reservation_id = r.id) AS seat_ids
              FROM reservation_service.reservations r
             WHERE r.event_id = %(event_id)s AND r.status IN ('PENDING', 'CONFIRMED')
               AND (%(after)s::uuid IS NULL OR r.id > %(after)s)
             ORDER BY r.id LIMIT %(limit)s
            """,
            {"event_id": event_id, "after": after, "limit": limit},
        )
        return [
            LiveSeats(ReservationId(row["reservation_id"]), row["status"], tuple(map(SeatId, row["seat_ids"])))
            for row in rows
        ]

    def live(self, reservation_ids: Sequence[ReservationId]) -> dict[ReservationId, Reservation]:
        """Those of them that are PENDING or CONFIRMED."""
        rows = self._database.rows(
            f"{_SELECT} WHERE r.id = ANY(%s) AND r.status IN ('PENDING', 'CONFIRMED')", (list(reservation_ids),)
        )
        return {ReservationId(row["id"]): _reservation(row) for row in rows}

    def pending_with(self, event_id: EventId, seat_ids: Sequence[SeatId]) -> list[Reservation]:
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

    def find(self, reservation_id: ReservationId, user_id: UserId) -> Reservation | None:
        row = self._database.row(f"{_SELECT} WHERE r.id = %s AND r.user_id = %s", (reservation_id, user_id))
        return _reservation(row) if row else None

    def of_user(self, user_id: UserId, status: Status | None, limit: int, offset: int) -> tuple[list[Reservation], int]:
        """A page, newest first, and how many there are in total; one round trip."""
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


@contextmanager
def _conflicts() -> Iterator[None]:
    """Raises ReservationConflict in place of psycopg's error."""
    try:
        yield
    except errors.UniqueViolation as error:
        raise ReservationConflict(_KIND_OF_INDEX.get(error.diag.constraint_name or "", ConflictKind.SEAT)) from error


def _insert_seats(connection: Connection, reservation: Reservation, chosen: Iterable[Seat]) -> None:
    # In the order of their ids: two buyers of the same seats wait for each other instead of deadlocking.
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


def _lock_of(*owners: EventId | UserId) -> int:
    """The advisory lock of an event, a user, or a person in an event: 64 of their ids' random bits, signed."""
    lock = 0
    for owner in owners:
        lock ^= int.from_bytes(owner.bytes[8:], signed=True)
    return lock


def _lock(connection: Connection, which: str, parameters: Parameters) -> list[Reservation]:
    """Reservations that no other transaction can change until this one ends; `which` ends in FOR UPDATE.

    In two statements: a statement that waited for a row gets the row's newest version, but the seats, which are rows of
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


def _seat(row: Row) -> Seat:
    return Seat(SeatId(UUID(row["id"])), row["number"], row["grade"], row["price"])


def _reservation(row: Row) -> Reservation:
    reason = row["cancel_reason"]
    return Reservation(
        id=ReservationId(row["id"]),
        user_id=UserId(row["user_id"]),
        event_id=EventId(row["event_id"]),
        event_title=row["event_title"],
        event_starts_at=row["event_starts_at"],
        status=Status(row["status"]),
        seats=tuple(map(_seat, row["seats"])),
        total_amount=row["total_amount"],
        hold_expires_at=row["hold_expires_at"],
        hold_extendable_until=row["guarded_until"],
        created_at=row["created_at"],
        cancel_reason=CancelReason(reason) if reason else None,
        payment_id=PaymentId(row["payment_id"]) if row["payment_id"] else None,
        ticket_number=row["ticket_number"],
        confirmed_at=row["confirmed_at"],
        cancelled_at=row["cancelled_at"],
        payment_started_at=row["payment_started_at"],
        fee=row["fee"],
        refund_amount=row["refund_amount"],
        rescheduled_at=row["rescheduled_at"],
        person_limit=row["person_limit"],
        admission=row["admission"],
    )
