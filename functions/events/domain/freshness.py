"""How long a cached response about an event may be shown: never past a change of its status (EVT-017, EVT-031)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

TTL = timedelta(minutes=5)
TTL_AROUND_SALE = timedelta(minutes=1)
AROUND_BEFORE, AROUND_AFTER = timedelta(minutes=10), timedelta(hours=1)  # of the start of a sale
GRACE = timedelta(seconds=30)  # how long a value that is no longer fresh is served while another request reloads it


@dataclass(frozen=True)
class Freshness:
    """After `fresh_until` a value is reloaded; until `usable_until` it is shown while that happens."""

    fresh_until: datetime
    usable_until: datetime


def around_sale(sale_starts_at: datetime, now: datetime) -> bool:
    return -AROUND_BEFORE <= now - sale_starts_at <= AROUND_AFTER


def freshness(now: datetime, *, around_sale: bool, changes_at: Iterable[datetime] = ()) -> Freshness:
    """`changes_at` are the times from which the value is wrong; past ones are ignored."""
    fresh_until = now + (TTL_AROUND_SALE if around_sale else TTL)
    wrong_from = min((at for at in changes_at if at > now), default=fresh_until + GRACE)
    return Freshness(min(fresh_until, wrong_from), min(fresh_until + GRACE, wrong_from))
