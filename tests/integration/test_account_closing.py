"""Withdrawing an account leaves no ticket, hold or payment that only its owner could reach, whatever races it, on a
real Postgres and Redis (AUTH-018)."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from common.domain.ids import PaymentId, UserId
from common.domain.shared_errors import AccountInUse, DomainError
from common.stores.postgres import Database
from functions.reservations.domain.closing_terms import CLOSING_FOR, PAYMENT_COMES_WITHIN
from functions.reservations.domain.reservation import CancelReason, Reservation, Status
from tests.integration.test_reservations import (
    NOW,
    SEATS,
    NewServices,
    ReservationsWithClock,
    code_of,
    live_seats,
    messages,
    new_services,
    service,
)
from tests.support.concurrently import concurrently

__all__ = ["new_services", "service"]  # fixtures


@pytest.fixture
def user() -> UserId:
    return UserId(uuid4())


def named(call: Callable[[], object]) -> dict[str, list[str]]:
    """What the error names."""
    with pytest.raises(AccountInUse) as raised:
        call()
    return {kind: ids for kind, ids in raised.value.details.items() if ids}


def stored(service: ReservationsWithClock, reservation: Reservation) -> Reservation:
    found = service.repository.find(reservation.id, reservation.user_id)
    assert found is not None
    return found


def empty(superuser: Database) -> None:
    with superuser.transaction() as connection:
        connection.execute(
            "TRUNCATE common.outbox_events, reservation_service.reservations, reservation_service.reservation_seats"
        )


def test_a_hold_made_during_a_closing_is_rejected_or_stops_it(new_services: NewServices, superuser: Database) -> None:
    for _ in range(40):
        closer, holder = new_services(2)
        user = UserId(uuid4())
        held, closed = concurrently(
            [
                lambda service=holder, user=user: service.hold(SEATS[0], user=user),  # type: ignore[misc]
                lambda service=closer, user=user: service.close_account.close(user, cancel=False),  # type: ignore[misc]
            ]
        )
        reservations, _ = holder.repository.of_user(user, None, 10, 0)
        if isinstance(closed, AccountInUse):
            (reservation,) = reservations
            assert closed.details["holds"] == [str(reservation.id)]
            holder.release(user, reservation.id)
        else:
            assert closed == 0
            assert isinstance(held, DomainError)
            assert (held.code, reservations) == ("ACCOUNT_CLOSING", [])
        empty(superuser)


@pytest.mark.parametrize("cancel", [True, False])
def test_a_payment_during_a_closing_leaves_no_ticket_of_a_closed_account(
    new_services: NewServices, superuser: Database, cancel: bool
) -> None:
    for expired in (False, True) * 10:
        closer, payer = new_services(2)
        reservation = closer.hold(SEATS[0]).reservation
        if expired:
            closer.clock.now = payer.clock.now = NOW + timedelta(seconds=400)
            closer.expire()
        _, closed = concurrently(
            [
                lambda service=payer, r=reservation: service.paid(r),  # type: ignore[misc]
                lambda service=closer, r=reservation: service.close_account.close(r.user_id, cancel=cancel),  # type: ignore[misc]
            ]
        )
        found = stored(payer, reservation)
        if isinstance(closed, AccountInUse):
            assert not cancel
            assert found.status is Status.CONFIRMED
            closer.close_account.close(reservation.user_id, cancel=True)
            found = stored(payer, reservation)
        assert (found.status, found.refund_amount) == (Status.CANCELLED, found.total_amount)
        assert live_seats(superuser) == []
        empty(superuser)


def test_what_is_live_stops_a_closing_and_is_named(service: ReservationsWithClock, user: UserId) -> None:
    ticket = service.hold(SEATS[0], user=user).reservation
    service.paid(ticket)
    assert named(lambda: service.close_account.close(user, cancel=False)) == {"tickets": [str(ticket.id)]}
    held = service.hold(SEATS[1], user=user).reservation
    expected = {"tickets": [str(ticket.id)], "holds": [str(held.id)]}
    assert named(lambda: service.close_account.close(user, cancel=False)) == expected
    assert stored(service, ticket).status is Status.CONFIRMED
    service.release(user, held.id)
    assert service.hold(SEATS[1], user=user)  # a closing that was stopped keeps no one from buying


def test_a_payment_that_may_still_come_stops_a_closing_until_it_cannot(
    service: ReservationsWithClock, user: UserId
) -> None:
    late = service.hold(SEATS[0], user=user).reservation
    service.payable(user, late.id, timedelta(), PaymentId(uuid4()))
    service.clock.now += timedelta(seconds=400)
    service.expire()
    assert named(lambda: service.close_account.close(user, cancel=False)) == {"payments": [str(late.id)]}
    service.clock.now += PAYMENT_COMES_WITHIN
    assert service.close_account.close(user, cancel=False) == 0
    service.paid(late)  # it comes even later
    found = stored(service, late)
    assert (found.status, found.refund_amount) == (Status.CANCELLED, late.total_amount)


def test_a_closing_with_cancellation_charges_the_fee_of_the_day_and_refunds_the_rest(
    service: ReservationsWithClock, superuser: Database, user: UserId
) -> None:
    ticket = service.hold(SEATS[0], user=user).reservation
    service.paid(ticket)
    service.clock.now += timedelta(days=25)  # five days before the show
    assert service.close_account.close(user, cancel=True) == 1
    found = stored(service, ticket)
    assert (found.status, found.cancel_reason) == (Status.CANCELLED, CancelReason.USER_REQUEST)
    assert found.fee > 0
    assert found.fee + found.refund_amount == ticket.total_amount
    assert live_seats(superuser) == []
    assert messages(superuser) == ["ReservationConfirmed", "ReservationCancelled"]
    assert service.close_account.close(user, cancel=True) == 0
    assert messages(superuser) == ["ReservationConfirmed", "ReservationCancelled"]


def test_a_ticket_that_cannot_be_cancelled_stops_the_whole_closing(
    service: ReservationsWithClock, superuser: Database, user: UserId
) -> None:
    ticket = service.hold(SEATS[0], user=user).reservation
    service.paid(ticket)
    service.clock.now = ticket.event_starts_at - timedelta(hours=1)
    assert named(lambda: service.close_account.close(user, cancel=True)) == {"tickets": [str(ticket.id)]}
    assert stored(service, ticket).status is Status.CONFIRMED
    service.clock.now = ticket.event_starts_at
    assert service.close_account.close(user, cancel=False) == 0  # the show has begun
    assert live_seats(superuser) == [SEATS[0].id]


def test_a_closing_touches_no_other_user_and_ends_by_itself(service: ReservationsWithClock, user: UserId) -> None:
    other = service.hold(SEATS[0]).reservation
    assert service.close_account.close(user, cancel=True) == 0
    assert stored(service, other).status is Status.PENDING
    assert code_of(lambda: service.hold(SEATS[1], user=user)) == "ACCOUNT_CLOSING"
    service.clock.now += CLOSING_FOR
    assert service.hold(SEATS[1], user=user)  # the account was not withdrawn after all


def test_repeated_closings_at_once_cancel_once(new_services: NewServices, superuser: Database) -> None:
    services = new_services(4)
    ticket = services[0].hold(SEATS[0]).reservation
    services[0].paid(ticket)
    counts = concurrently(
        [
            lambda service=service: service.close_account.close(ticket.user_id, cancel=True)  # type: ignore[misc]
            for service in services
        ]
    )
    assert sorted(count for count in counts if isinstance(count, int)) == [0, 0, 0, 1]
    assert messages(superuser) == ["ReservationConfirmed", "ReservationCancelled"]
