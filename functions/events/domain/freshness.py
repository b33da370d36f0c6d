"""How long what was read of an event may be shown: never past a change of its status (EVT-017, EVT-031)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

TTL = timedelta(minutes=5)
TTL_AROUND_SALE = timedelta(minutes=1)
AROUND_BEFORE, AROUND_AFTER = timedelta(minutes=10), timedelta(hours=1)  # of the start of a sale
GRACE = timedelta(seconds=30)  # how long a value past its time serves those who find another loading it anew


@dataclass(frozen=True)
class Freshness:
    """Fresh until the first, fit to be shown while a newer one is on its way until the second."""

    fresh_until: datetime
    usable_until: datetime


def around_sale(sale_starts_at: datetime, now: datetime) -> bool:
    return -AROUND_BEFORE <= now - sale_starts_at <= AROUND_AFTER


def freshness(now: datetime, *, around_sale: bool, changes_at: Iterable[datetime] = ()) -> Freshness:
    """`changes_at` are the moments at which it is wrong at once, past ones among them or not."""
    fresh_until = now + (TTL_AROUND_SALE if around_sale else TTL)
    wrong_from = min((at for at in changes_at if at > now), default=fresh_until + GRACE)
    return Freshness(min(fresh_until, wrong_from), min(fresh_until + GRACE, wrong_from))
