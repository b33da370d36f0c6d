"""How long a cached response may be shown (EVT-017, EVT-031)."""

from datetime import UTC, datetime, timedelta

from functions.events.domain.freshness import around_sale, freshness

NOW = datetime(2026, 12, 1, 11, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def test_a_response_is_fresh_for_five_minutes_or_one_minute_around_a_sale() -> None:
    assert freshness(NOW, around_sale=False).fresh_until == NOW + 5 * MINUTE
    assert freshness(NOW, around_sale=True).fresh_until == NOW + MINUTE


def test_a_response_is_usable_longer_while_a_new_one_is_loaded() -> None:
    assert freshness(NOW, around_sale=True).usable_until == NOW + MINUTE + 30 * SECOND


def test_a_response_is_never_shown_past_a_change_of_status() -> None:
    soon = freshness(NOW, around_sale=False, changes_at=[NOW + SECOND, NOW - SECOND, NOW + MINUTE])
    assert (soon.fresh_until, soon.usable_until) == (NOW + SECOND, NOW + SECOND)
    within_grace = freshness(NOW, around_sale=True, changes_at=[NOW + 70 * SECOND])
    assert (within_grace.fresh_until, within_grace.usable_until) == (NOW + MINUTE, NOW + 70 * SECOND)


def test_a_sale_is_near_from_ten_minutes_before_to_an_hour_after_its_start() -> None:
    assert not around_sale(NOW, NOW - 11 * MINUTE)
    assert around_sale(NOW, NOW - 10 * MINUTE)
    assert around_sale(NOW, NOW + 60 * MINUTE)
    assert not around_sale(NOW, NOW + 61 * MINUTE)
