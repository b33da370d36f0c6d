"""Each way in which holds, reservations and seats can disagree (EVT-030)."""

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
    holds=frozenset({(SEAT, OURS), (OTHER, THEIRS)}),  # a hold stays for a while after the confirmation
)
NOTHING = SeatSnapshot({}, frozenset(), frozenset(), frozenset())


def test_stores_that_agree_have_no_disagreements() -> None:
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
    ids=["sold twice", "missing sale", "stale claim", "orphan hold", "forgotten hold"],
)
def test_each_disagreement_has_its_name(snapshot: SeatSnapshot, expected: Disagreements) -> None:
    assert find_disagreements(snapshot) == expected


class FakeRecords:
    """Events whose snapshot changes with each read; the last one stays."""

    def __init__(self, **snapshots: list[SeatSnapshot | Exception]) -> None:
        self.snapshots = {EVENT: snapshots.get("event", [NOTHING]), ANOTHER: snapshots.get("another", [NOTHING])}
        self.repaired: dict[EventId, Disagreements] = {}
        self.waits: list[float] = []
        self.failures: list[EventId] = []

    def on_sale(self) -> list[EventId]:
        return [EVENT, ANOTHER]

    def snapshot(self, event_id: EventId) -> SeatSnapshot:
        snapshots = self.snapshots[event_id]
        snapshot = snapshots.pop(0) if len(snapshots) > 1 else snapshots[0]
        if isinstance(snapshot, Exception):
            raise snapshot
        return snapshot

    def repair(self, event_id: EventId, found: Disagreements) -> None:
        self.repaired[event_id] = found

    def reconcile(self) -> dict[EventId, Disagreements]:
        return reconcile(self, self.waits.append, lambda event_id, _error: self.failures.append(event_id))


MISSING = SeatSnapshot({}, frozenset({(SEAT, OURS)}), frozenset(), frozenset())


def test_a_disagreement_in_the_first_snapshot_only_is_not_repaired() -> None:
    records = FakeRecords(event=[MISSING, AGREED])
    assert records.reconcile() == {}
    assert (len(records.waits), records.repaired) == (1, {})


def test_a_disagreement_in_the_second_snapshot_only_is_not_repaired() -> None:
    stale = SeatSnapshot({OTHER: [THEIRS]}, frozenset(), frozenset(), frozenset())
    records = FakeRecords(event=[MISSING, stale])
    assert (records.reconcile(), records.repaired) == ({}, {})


def test_a_disagreement_in_both_snapshots_is_repaired() -> None:
    records = FakeRecords(event=[MISSING])
    assert records.reconcile() == records.repaired == {EVENT: Disagreements(missing_sales=frozenset({(SEAT, OURS)}))}


def test_without_disagreements_there_is_no_wait() -> None:
    records = FakeRecords(event=[AGREED])
    assert (records.reconcile(), records.waits) == ({}, [])


def test_an_event_that_cannot_be_compared_does_not_stop_the_others() -> None:
    records = FakeRecords(event=[OSError("unavailable")], another=[MISSING])
    assert set(records.reconcile()) == {ANOTHER}
    assert records.failures == [EVENT]


def test_an_event_that_cannot_be_compared_again_is_not_repaired() -> None:
    records = FakeRecords(event=[MISSING, OSError("unavailable")])
    assert (records.reconcile(), records.repaired, records.failures) == ({}, {}, [EVENT])
