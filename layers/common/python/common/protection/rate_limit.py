"""How often a caller may send requests: a user, or an address without a login, by class of route (GW-005, GW-006,
GW-024, GW-028).

GCRA: a limit of N a minute allows N a minute on average and, after a pause, 1.2 N at once.
"""

import math
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv6Network
from pathlib import Path

from common.domain.clock import Clock
from common.domain.shared_errors import RateLimited
from common.protection.rate_class import BURST, RateClass
from common.runtime.log import log
from common.stores.redis import REDIS_FAILURES, Client, Script


@dataclass(frozen=True)
class Allowance:
    """What is left of a limit: `remaining` requests may come at once, of `limit` a minute."""

    limit: int
    remaining: int
    wait_seconds: int = 0  # until the next may come; 0 if this one was allowed

    @property
    def shown_remaining(self) -> int:
        """At most the limit: after a pause more may come at once, but that would confuse clients."""
        return min(self.remaining, self.limit)


class RateLimiter:
    def __init__(self, redis: Client, clock: Clock, *, address_limits: bool = True) -> None:
        self._redis = redis
        self._clock = clock
        self._address_limits = address_limits
        self._take = Script(Path(__file__).parent / "lua" / "count_request.lua")

    def admit(self, kind: RateClass, user: str | None, address: str | None) -> Allowance | None:
        """What is left to the user or, without a login, to the address. Raises RateLimited.

        None if nothing is counted, and while Redis is unavailable. Limits keep a crowd fair; to reject every request
        because none can be counted would do what they are meant to prevent. Where guesses must not be free (login), the
        lockout fails closed on its own.
        """
        if user:
            scope, who, limit = "user", user, kind.user_per_minute
        else:
            network = network_hash(address) if self._address_limits else None
            if network is None or kind.address_per_minute is None:
                return None
            scope, who, limit = "address", network, kind.address_per_minute
        now = int(self._clock().timestamp() * 1_000_000)
        try:
            _, left, wait = self._take(
                self._redis,
                [f"rate:{kind.name}:{scope}:{{{who}}}"],
                [now, 60_000_000 // limit, math.floor(limit * BURST)],
            )
        except REDIS_FAILURES:
            log.warning("Redis unavailable: requests are not counted")
            return None
        allowance = Allowance(limit, int(left), math.ceil(int(wait) / 1_000_000))
        if allowance.wait_seconds:
            raise RateLimited(limit=limit, remaining=allowance.shown_remaining, retry_after=allowance.wait_seconds)
        return allowance


def network_hash(address: str | None) -> str | None:
    """A hash of the network an address belongs to: an IPv6 customer has a whole /64."""
    if not address:
        return None
    owner = str(IPv6Network((address, 64), strict=False)) if ":" in address else address
    return sha256(owner.encode()).hexdigest()[:16]
