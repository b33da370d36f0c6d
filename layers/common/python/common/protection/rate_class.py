"""The rate limits, by class of route (GW-005, GW-006, GW-024, GW-028). `rate_limit` enforces them."""

from dataclasses import dataclass

BURST = 1.2  # GW-028


@dataclass(frozen=True)
class RateClass:
    """Routes that share their limits: a user's reads are counted together, whichever they are.

    A logged-in request is counted for its user only, and one without a login for its address: hundreds of people may
    share an address (a school, a mobile network), so its limit leaves room for them.
    """

    name: str
    user_per_minute: int
    address_per_minute: int | None = None  # None where every request has a login


READS = RateClass("read", 200, 6000)
OTHERS = RateClass("other", 200, 600)
QUEUE_STATUS = RateClass("queue-status", 60)
# Seats and money, where they change hands. Reading one's reservations or payments is a read: a buyer who waits for a
# ticket polls.
BOOKING = RateClass("booking", 20)
PAYMENT = RateClass("payment", 20)  # GW-024; the 1,000 a second of all buyers are the method's throttle
LOGIN = RateClass("login", 10, 600)
