"""Each way in which holds, reservations and seats may disagree (EVT-030)."""

from uuid import UUID

import pytest

from functions.events.domain.seat_disagreements import Disagreements, Picture, compare, reconcile

SEAT, OTHER = UUID(int=1), UUID(int=2)
OURS, THEIRS = UUID(int=11), UUID(int=12)
EVENT, ANOTHER = UUID(int=21), UUID(int=22)

AGREED = Picture(
    claims={SEAT: [OURS]},
    confirmed=frozenset({(SEAT, OURS)}),
    pending=frozenset({(OTHER, THEIRS)}),
    holds=frozenset({(SEAT, OURS), (OTHER, THEIRS)}),  # a hold outlives its confirmation a while
)
NOTHING = Picture({}, frozenset(), frozenset(), frozenset())


def test_stores_that_agree_have_nothing_to_tell() -> None:
    assert not compare(AGREED)
    assert not compare(NOTHING)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (
            Picture({SEAT: [OURS, THEIRS]}, frozenset({(SEAT, OURS), (SEAT, THEIRS)}), frozenset(), frozenset()),
            Disagreements(oversold_seats=frozenset({SEAT})),
        ),
        (
            Picture({}, frozenset({(SEAT, OURS)}), frozenset(), frozenset()),
            Disagreements(missing_sales=frozenset({(SEAT, OURS)})),
        ),
        (
            Picture({SEAT: [OURS, THEIRS]}, frozenset({(SEAT, THEIRS)}), frozenset(), frozenset()),
            Disagreements(stale_claims=frozenset({(SEAT, OURS)})),
        ),
        (
            Picture({}, frozenset(), frozenset(), frozenset({(SEAT, OURS), (OTHER, None)})),
            Disagreements(orphan_holds=frozenset({(SEAT, OURS), (OTHER, None)})),
        ),
        (
            Picture({}, frozenset(), frozenset({(SEAT, OURS)}), frozenset({(SEAT, None)})),
            Disagreements(orphan_holds=frozenset({(SEAT, None)}), forgotten_holds=frozenset({(SEAT, OURS)})),
        ),
    ],
    ids=["sold twice", "sale unheard of", "claim of nobody", "hold of nobody", "hold forgotten"],
)
def test_each_disagreement_has_its_name(picture: Picture, expected: Disagreements) -> None:
    assert compare(picture) == expected


class FakeStores:
    """Events whose pictures change from look to look, the last one staying."""

    def __init__(self, **looks: list[Picture | Exception]) -> None:
        self.looks = {EVENT: looks.get("event", [NOTHING]), ANOTHER: looks.get("another", [NOTHING])}
        self.mended: dict[UUID, Disagreements] = {}
        self.waits: list[float] = []
        self.failures: list[UUID] = []

    def selling(self) -> list[UUID]:
        return [EVENT, ANOTHER]

    def picture(self, event_id: UUID) -> Picture:
        looks = self.looks[event_id]
        look = looks.pop(0) if len(looks) > 1 else looks[0]
        if isinstance(look, Exception):
            raise look
        return look

    def mend(self, event_id: UUID, found: Disagreements) -> None:
        self.mended[event_id] = found

    def reconcile(self) -> dict[UUID, Disagreements]:
        return reconcile(self, self.waits.append, lambda event_id, _error: self.failures.append(event_id))


MISSING = Picture({}, frozenset({(SEAT, OURS)}), frozenset(), frozenset())


def test_what_was_on_its_way_at_the_first_look_is_left_alone() -> None:
    stores = FakeStores(event=[MISSING, AGREED])
    assert stores.reconcile() == {}
    assert (len(stores.waits), stores.mended) == (1, {})


def test_what_only_the_second_look_finds_may_be_on_its_way_too() -> None:
    stale = Picture({OTHER: [THEIRS]}, frozenset(), frozenset(), frozenset())
    stores = FakeStores(event=[MISSING, stale])
    assert (stores.reconcile(), stores.mended) == ({}, {})


def test_what_two_looks_find_is_mended() -> None:
    stores = FakeStores(event=[MISSING])
    assert stores.reconcile() == stores.mended == {EVENT: Disagreements(missing_sales=frozenset({(SEAT, OURS)}))}


def test_where_all_agree_nobody_waits() -> None:
    stores = FakeStores(event=[AGREED])
    assert (stores.reconcile(), stores.waits) == ({}, [])


def test_an_event_that_cannot_be_looked_at_does_not_keep_us_from_the_others() -> None:
    stores = FakeStores(event=[OSError("away")], another=[MISSING])
    assert set(stores.reconcile()) == {ANOTHER}
    assert stores.failures == [EVENT]


def test_one_that_cannot_be_seen_again_is_not_touched() -> None:
    stores = FakeStores(event=[MISSING, OSError("away")])
    assert (stores.reconcile(), stores.mended, stores.failures) == ({}, {}, [EVENT])
