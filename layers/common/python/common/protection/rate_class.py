"""The rate limits, by class of route (GW-005, GW-006, GW-024, GW-028). `rate_limit` enforces them."""

from dataclasses import dataclass

BURST = 1.2  # GW-028


@dataclass(frozen=True)
class RouteClass:
    """Routes that share their limits: a user's reads are counted together, whichever they are."""

    name: str
    user_per_minute: int | None
    address_per_minute: int | None


READS = RouteClass("read", 200, 300)
OTHERS = RouteClass("other", 200, 100)
QUEUE_STATUS = RouteClass("queue-status", 60, 300)
# Seats and money, where they change hands. Reading one's reservations or payments is a read: whoever waits for a ticket
# asks often.
BOOKING = RouteClass("booking", 20, 100)
PAYMENT = RouteClass("payment", 20, 50)  # GW-024; the 1,000 a second of everybody are the method's throttle
LOGIN = RouteClass("login", 10, 100)
