"""Each way in which holds, reservations and seats may disagree (EVT-030)."""

from uuid import UUID

import pytest

from common.domain.ids import EventId, ReservationId, SeatId
from functions.events.domain.seat_disagreements import Disagreements, SeatSnapshot, find_disagreements
from functions.events.usecases.seat_reconciliation import reconcile

SEAT, OTHER = SeatId(UUID(int=1)), SeatId(UUID(int=2))
OURS, THEIRS = ReservationId(UUID(int=11)), ReservationId(UUID(int=12))
EVENT, ANOTHER = EventId(UUID(int=21)), EventId(UUID(int=22))

AGREED = SeatSnapshot(
    sales={SEAT: [OURS]},
    confirmed=frozenset({(SEAT, OURS)}),
    pending=frozenset({(OTHER, THEIRS)}),
    holds=frozenset({(SEAT, OURS), (OTHER, THEIRS)}),  # a hold outlives its confirmation a while
)
NOTHING = SeatSnapshot({}, frozenset(), frozenset(), frozenset())


def test_stores_that_agree_have_nothing_to_tell() -> None:
    assert not find_disagreements(AGREED)
    assert not find_disagreements(NOTHING)


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        (
            SeatSnapshot({SEAT: [OURS, THEIRS]}, frozenset({(SEAT, OURS), (SEAT, THEIRS)}), frozenset(), frozenset()),
            Disagreements(oversold_seats=frozenset({SEAT})),
        ),
        (
            SeatSnapshot({}, frozenset({(SEAT, OURS)}), frozenset(), frozenset()),
            Disagreements(missing_sales=frozenset({(SEAT, OURS)})),
        ),
        (
            SeatSnapshot({SEAT: [OURS, THEIRS]}, frozenset({(SEAT, THEIRS)}), frozenset(), frozenset()),
            Disagreements(stale_claims=frozenset({(SEAT, OURS)})),
        ),
        (
            SeatSnapshot({}, frozenset(), frozenset(), frozenset({(SEAT, OURS), (OTHER, None)})),
            Disagreements(orphan_holds=frozenset({(SEAT, OURS), (OTHER, None)})),
        ),
        (
            SeatSnapshot({}, frozenset(), frozenset({(SEAT, OURS)}), frozenset({(SEAT, None)})),
            Disagreements(orphan_holds=frozenset({(SEAT, None)}), forgotten_holds=frozenset({(SEAT, OURS)})),
        ),
    ],
    ids=["sold twice", "sale unheard of", "claim of nobody", "hold of nobody", "hold forgotten"],
)
def test_each_disagreement_has_its_name(snapshot: SeatSnapshot, expected: Disagreements) -> None:
    assert find_disagreements(snapshot) == expected


class FakeRecords:
    """Events whose snapshots change from look to look, the last one staying."""

    def __init__(self, **looks: list[SeatSnapshot | Exception]) -> None:
        self.looks = {EVENT: looks.get("event", [NOTHING]), ANOTHER: looks.get("another", [NOTHING])}
        self.repaired: dict[EventId, Disagreements] = {}
        self.waits: list[float] = []
        self.failures: list[EventId] = []

    def on_sale(self) -> list[EventId]:
        return [EVENT, ANOTHER]

    def snapshot(self, event_id: EventId) -> SeatSnapshot:
        looks = self.looks[event_id]
        look = looks.pop(0) if len(looks) > 1 else looks[0]
        if isinstance(look, Exception):
            raise look
        return look

    def repair(self, event_id: EventId, found: Disagreements) -> None:
        self.repaired[event_id] = found

    def reconcile(self) -> dict[EventId, Disagreements]:
        return reconcile(self, self.waits.append, lambda event_id, _error: self.failures.append(event_id))


MISSING = SeatSnapshot({}, frozenset({(SEAT, OURS)}), frozenset(), frozenset())


def test_what_was_on_its_way_at_the_first_look_is_left_alone() -> None:
    records = FakeRecords(event=[MISSING, AGREED])
    assert records.reconcile() == {}
    assert (len(records.waits), records.repaired) == (1, {})


def test_what_only_the_second_look_finds_may_be_on_its_way_too() -> None:
    stale = SeatSnapshot({OTHER: [THEIRS]}, frozenset(), frozenset(), frozenset())
    records = FakeRecords(event=[MISSING, stale])
    assert (records.reconcile(), records.repaired) == ({}, {})


def test_what_two_looks_find_is_mended() -> None:
    records = FakeRecords(event=[MISSING])
    assert records.reconcile() == records.repaired == {EVENT: Disagreements(missing_sales=frozenset({(SEAT, OURS)}))}


def test_where_all_agree_nobody_waits() -> None:
    records = FakeRecords(event=[AGREED])
    assert (records.reconcile(), records.waits) == ({}, [])


def test_an_event_that_cannot_be_looked_at_does_not_keep_us_from_the_others() -> None:
    records = FakeRecords(event=[OSError("away")], another=[MISSING])
    assert set(records.reconcile()) == {ANOTHER}
    assert records.failures == [EVENT]


def test_one_that_cannot_be_seen_again_is_not_touched() -> None:
    records = FakeRecords(event=[MISSING, OSError("away")])
    assert (records.reconcile(), records.repaired, records.failures) == ({}, {}, [EVENT])
