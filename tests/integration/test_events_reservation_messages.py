"""Seats follow reservations' messages, each once, despite duplicates and concurrent consumers (EVT-016)."""

import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from common.domain.clock import new_id
from common.domain.ids import EventId, ReservationId, SeatId, UserId
from common.messaging.consumer import Consumer
from common.messaging.messages import RESERVATION_EVENTS, Envelope, ReservationCancelled, ReservationConfirmed, envelope
from common.stores.postgres import Database
from functions.events.adapters.read_cache_redis import event_key, seats_key
from functions.events.domain.errors import SeatMoved
from local.seed.event import EVENT_ID, seed_event
from tools.simulation.events_service import EventsService, NoCache, seat_messages, seat_sales

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
DONE: dict[str, Any] = {"batchItemFailures": []}


def confirmed(reservation_id: UUID, *seat_ids: UUID, event_id: UUID = EVENT_ID) -> Envelope:
    payload = ReservationConfirmed(
        reservation_id=ReservationId(reservation_id),
        event_id=EventId(event_id),
        seat_ids=[*map(SeatId, seat_ids)],
        confirmed_at=NOW,
    )
    return in_envelope(payload)


def cancelled(reservation_id: UUID, *seat_ids: UUID) -> Envelope:
    payload = ReservationCancelled(
        reservation_id=ReservationId(reservation_id),
        event_id=EVENT_ID,
        seat_ids=[*map(SeatId, seat_ids)],
        cancelled_at=NOW,
        reason="USER_REQUEST",
    )
    return in_envelope(payload)


def in_envelope(payload: ReservationConfirmed | ReservationCancelled) -> Envelope:
    return envelope(
        payload, message_id=new_id(), at=NOW, correlation_id=str(new_id()), causation_id=None, user_id=UserId(new_id())
    )


def batch(*messages: Envelope) -> dict[str, Any]:
    """An event source mapping's event, in the shape of MSK's."""
    records = [
        {
            "topic": RESERVATION_EVENTS,
            "partition": 0,
            "offset": offset,
            "timestamp": 0,
            "timestampType": "CREATE_TIME",
            "key": b64encode(str(message.aggregate_id).encode()).decode(),
            "value": b64encode(message.to_json().encode()).decode(),
            "headers": [],
        }
        for offset, message in enumerate(messages)
    ]
    return {"eventSource": "aws:kafka", "records": {f"{RESERVATION_EVENTS}-0": records}}


class Seats:
    """The seeded event's seats, read by the owner of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.ids = EventsService(database).seat_ids(EVENT_ID)

    def state(self, seat_id: UUID) -> tuple[UUID | None, int]:
        """The reservation that the seat is sold to, and the seat's version."""
        row = self._database.row("SELECT sold_to, version FROM event_service.seats WHERE id = %s", (seat_id,))
        assert row is not None
        return row["sold_to"], row["version"]

    def dead_letters(self) -> list[str]:
        rows = self._database.rows("SELECT headers ->> 'reason' AS reason FROM common.outbox_events ORDER BY id")
        return [row["reason"] for row in rows]


@pytest.fixture
def seats(superuser: Database) -> Seats:
    seed_event(superuser, NOW)
    return Seats(superuser)


@pytest.fixture
def new_consumer(database_of: Callable[[str], Database]) -> Callable[[], Consumer]:
    """A consumer with its own connection, as in each execution environment."""
    return lambda: Consumer("events", database_of("event_service"), seat_messages(NoCache()).handlers)


def test_a_confirmed_reservations_seats_are_sold_to_it(new_consumer: Callable[[], Consumer], seats: Seats) -> None:
    reservation_id = new_id()
    assert new_consumer()(batch(confirmed(reservation_id, *seats.ids[:4]))) == DONE
    assert [seats.state(seat_id) for seat_id in seats.ids[:5]] == [(reservation_id, 1)] * 4 + [(None, 0)]


def test_a_cancelled_reservations_seats_are_free_again(new_consumer: Callable[[], Consumer], seats: Seats) -> None:
    reservation_id = new_id()
    messages = batch(confirmed(reservation_id, seats.ids[0]), cancelled(reservation_id, seats.ids[0]))
    assert new_consumer()(messages) == DONE
    assert seats.state(seats.ids[0]) == (None, 2)


class RecordedDrops(NoCache):
    """Records the dropped keys in order."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped: list[str] = []

    def drop(self, *keys: str) -> None:
        self.dropped += keys


def test_only_seats_that_change_are_dropped_from_the_cache(
    database_of: Callable[[str], Database], seats: Seats
) -> None:
    cache, reservation_id = RecordedDrops(), new_id()
    consume = Consumer("events", database_of("event_service"), seat_messages(cache).handlers)
    keys_of_event = [event_key(EVENT_ID), seats_key(EVENT_ID)]
    consume(batch(confirmed(reservation_id, seats.ids[0])))
    assert cache.dropped == keys_of_event
    consume(batch(cancelled(reservation_id, seats.ids[0])))
    assert cache.dropped == keys_of_event * 2
    consume(batch(cancelled(new_id(), seats.ids[0])))  # never sold to it
    assert cache.dropped == keys_of_event * 2


def test_an_unpaid_reservation_frees_no_seat_of_another_reservation(
    new_consumer: Callable[[], Consumer], seats: Seats
) -> None:
    other_reservation_id = new_id()
    new_consumer()(batch(confirmed(other_reservation_id, seats.ids[0]), cancelled(new_id(), seats.ids[0])))
    assert seats.state(seats.ids[0]) == (other_reservation_id, 1)


def test_a_late_duplicate_of_a_confirmation_does_not_sell_a_cancelled_seat(
    new_consumer: Callable[[], Consumer], seats: Seats
) -> None:
    reservation_id = new_id()
    confirmation = confirmed(reservation_id, seats.ids[0])
    consume = new_consumer()
    consume(batch(confirmation, cancelled(reservation_id, seats.ids[0])))
    assert consume(batch(confirmation)) == DONE
    assert seats.state(seats.ids[0]) == (None, 2)


def test_every_message_twice_from_two_consumers_at_once_takes_effect_once(
    new_consumer: Callable[[], Consumer], seats: Seats
) -> None:
    reservations = [new_id() for _ in range(20)]
    kept, to_cancel = reservations[:10], reservations[10:]
    messages = []
    for number, reservation_id in enumerate(reservations):
        taken = seats.ids[number * 4 : number * 4 + 4]
        messages.append(confirmed(reservation_id, *taken))
        if reservation_id in to_cancel:
            messages.append(cancelled(reservation_id, *taken))

    with ThreadPoolExecutor(2) as services:
        for response in services.map(
            lambda consume: consume(batch(*messages, *messages)), [new_consumer(), new_consumer()]
        ):
            assert response == DONE

    for number, reservation_id in enumerate(reservations):
        expected = (reservation_id, 1) if reservation_id in kept else (None, 2)
        assert [seats.state(seat_id) for seat_id in seats.ids[number * 4 : number * 4 + 4]] == [expected] * 4
    assert seats.dead_letters() == []


@pytest.mark.parametrize("order", ["in order", "overtaking"])
def test_a_confirmation_that_overtakes_a_cancellation_still_sells_the_seat(
    new_consumer: Callable[[], Consumer], seats: Seats, capsys: pytest.CaptureFixture[str], order: str
) -> None:
    """Two reservations of one seat have two ordering keys: Kafka keeps no order between them."""
    first, second = new_id(), new_id()
    consume = new_consumer()
    consume(batch(confirmed(first, seats.ids[0])))
    rest = [cancelled(first, seats.ids[0]), confirmed(second, seats.ids[0], seats.ids[1])]
    if order == "overtaking":
        consume(batch(rest[1]))
        assert seats.state(seats.ids[0])[0] == first, "still SOLD to the first reservation"
    assert consume(batch(*rest)) == DONE

    assert [seats.state(seat_id)[0] for seat_id in seats.ids[:2]] == [second, second]
    assert seats.dead_letters() == []
    metrics = [line for line in capsys.readouterr().out.splitlines() if "ClaimsMet" in line]
    assert len(metrics) == (1 if order == "overtaking" else 0)


@pytest.mark.parametrize("unknown", ["seat", "event"])
def test_a_confirmation_of_an_unknown_seat_or_event_becomes_a_dead_letter(
    new_consumer: Callable[[], Consumer], seats: Seats, unknown: str
) -> None:
    message = (
        confirmed(new_id(), seats.ids[0], new_id())
        if unknown == "seat"
        else confirmed(new_id(), seats.ids[0], event_id=new_id())
    )
    assert new_consumer()(batch(message)) == DONE
    assert seats.state(seats.ids[0]) == (None, 0)
    assert seats.dead_letters() == ["rejected: SEAT_NOT_FOUND"]


def test_a_seat_that_changed_since_it_was_read_is_not_written(
    database_of: Callable[[str], Database], superuser: Database, seats: Seats
) -> None:
    reservation_id, other_reservation_id = ReservationId(new_id()), ReservationId(new_id())
    seat_id = seats.ids[0]
    first, second = database_of("event_service"), database_of("event_service")

    def sell_second() -> None:
        with second.transaction() as connection:
            seat_sales().sell(connection, EVENT_ID, [seat_id], other_reservation_id)

    with ThreadPoolExecutor(1) as other:
        with first.transaction() as connection:
            seat_sales().sell(connection, EVENT_ID, [seat_id], reservation_id)
            late = other.submit(sell_second)
            wait_until_a_statement_is_blocked(superuser)
        with pytest.raises(SeatMoved):
            late.result(timeout=10)
    assert seats.state(seat_id) == (reservation_id, 1)


def wait_until_a_statement_is_blocked(superuser: Database) -> None:
    deadline = time.monotonic() + 10
    while not superuser.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
        assert time.monotonic() < deadline, "the second writer never waited for the first"
        time.sleep(0.005)
