"""What it costs to give a confirmed reservation back (`docs/api.md`, Reservations; RSV-006)."""

from datetime import datetime, timedelta, timezone

KOREA = timezone(timedelta(hours=9))  # shows are in Korea, which has no summer time
FREE_AFTER_BOOKING = timedelta(days=1)
PERCENT_FROM_DAYS = ((10, 0), (7, 10), (3, 20), (1, 30))  # this many days before the show or more: this fee


def fee_percent(
    now: datetime, booked_at: datetime, show_starts_at: datetime, *, rescheduled: bool = False
) -> int | None:
    """The fee in percent; None on the day of the show and after, when nothing can be given back.

    A show that was moved after it was booked can be given back for nothing until it starts (EVT-029). Days are calendar
    days in Korea: a show at 19:00 is one day away all through the day before.
    """
    if rescheduled and now < show_starts_at:
        return 0
    days = (show_starts_at.astimezone(KOREA).date() - now.astimezone(KOREA).date()).days
    if days < 1:
        return None
    if now - booked_at < FREE_AFTER_BOOKING:
        return 0
    return next(percent for least, percent in PERCENT_FROM_DAYS if days >= least)
