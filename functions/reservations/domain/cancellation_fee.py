"""The cancellation fee of a confirmed reservation (`docs/api.md`, Reservations; RSV-006)."""

from datetime import UTC, datetime, time, timedelta, timezone

KOREA = timezone(timedelta(hours=9))  # events are in Korea, which has no summer time
FREE_AFTER_CONFIRMATION = timedelta(days=1)
PERCENT_FROM_DAYS = ((10, 0), (7, 10), (3, 20), (1, 30))  # this many days before the event or more: this fee


def fee_percent(
    now: datetime, confirmed_at: datetime, event_starts_at: datetime, *, rescheduled: bool = False
) -> int | None:
    """The fee in percent of the amount; None on the day of the event and after it, when nothing can be cancelled.

    If the event was moved after the reservation was made, cancelling is free until the event starts (EVT-029). Days are
    calendar days in Korea: an event at 19:00 is one day off during the whole day before.
    """
    if rescheduled and now < event_starts_at:
        return 0
    days = (event_starts_at.astimezone(KOREA).date() - now.astimezone(KOREA).date()).days
    if days < 1:
        return None
    if now - confirmed_at < FREE_AFTER_CONFIRMATION:
        return 0
    return next(percent for least, percent in PERCENT_FROM_DAYS if days >= least)


def next_change(
    now: datetime, confirmed_at: datetime, event_starts_at: datetime, *, rescheduled: bool = False
) -> datetime | None:
    """The first moment after `now` with another `fee_percent`; None if it stays as it is."""

    def percent(at: datetime) -> int | None:
        return fee_percent(at, confirmed_at, event_starts_at, rescheduled=rescheduled)

    event_day = event_starts_at.astimezone(KOREA).date()
    midnights = [
        datetime.combine(event_day - timedelta(days=least - 1), time(), KOREA).astimezone(UTC)
        for least, _ in PERCENT_FROM_DAYS
    ]
    moments = [confirmed_at + FREE_AFTER_CONFIRMATION, event_starts_at, *midnights]
    return min((at for at in moments if at > now and percent(at) != percent(now)), default=None)
