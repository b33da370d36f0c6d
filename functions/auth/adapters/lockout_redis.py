"""Brakes on guessing passwords (AUTH-006). Addresses nobody has an account under are braked like the others.

Of an address at one network, five wrong passwords lock it there for a minute; each further one doubles that, to fifteen
minutes. Of an address at all networks it has not been signed in from, fifty in an hour lock those for five minutes;
whoever guesses from many places cannot lock the owner out at home. A wrong password counts for an hour.

Ten are compared at once, one after a lock: attempts that run side by side are counted when they end, so a burst gets at
most 14 comparisons where guessing one by one gets 5.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from uuid import UUID

from common.domain.clock import Clock, NewId, new_id, utc_now
from common.runtime.log import log
from common.runtime.metrics import emit
from common.runtime.settings import Settings
from common.stores import redis
from common.stores.redis import Client, Script
from functions.auth.domain.errors import AccountLocked

_LUA = Path(__file__).parent / "lua"


@dataclass(frozen=True)
class Brake:
    """How many wrong passwords lock, for how long at first, and at most."""

    wrong: int
    first_lock: timedelta
    longest_lock: timedelta


@dataclass(frozen=True)
class LockoutTerms:
    network: Brake = Brake(5, timedelta(minutes=1), timedelta(minutes=15))
    elsewhere: Brake = Brake(50, timedelta(minutes=5), timedelta(minutes=5))  # all unknown networks together
    counts_for: timedelta = timedelta(hours=1)  # longer than any lock
    dies_after: timedelta = timedelta(seconds=30)  # longer than any function that compares may run
    at_once: int = 10


@dataclass(frozen=True)
class Attempt:
    """One comparison that was allowed, until it is settled."""

    id: UUID
    keys: tuple[str, ...]


class Lockout:
    def __init__(self, redis: Client, clock: Clock, ids: NewId, terms: LockoutTerms | None = None) -> None:
        self._redis = redis
        self._clock = clock
        self._ids = ids
        self._terms = terms or LockoutTerms()
        self._take = Script(_LUA / "begin_attempt.lua")
        self._settle = Script(_LUA / "end_attempt.lua")

    def check(self, whose: bytes, where: bytes, *, known_network: bool) -> Attempt:
        """To be asked before a password is compared, in one round trip. Raises AccountLocked with a Retry-After.

        `whose` and `where` are hashes or ids: of an address and the network it is tried at. `known_network`: its owner
        has signed in from there.
        """
        brakes = {where.hex(): self._terms.network}
        if not known_network:
            brakes["elsewhere"] = self._terms.elsewhere
        address = f"lockout:{{{whose.hex()}}}"
        keys = tuple(f"{address}:{place}:{what}" for place in brakes for what in ("wrong", "comparing"))
        attempt = Attempt(self._ids(), keys)
        terms = self._terms
        arguments: list[str | int] = [str(attempt.id), self._now()]
        arguments += [_ms(terms.counts_for), _ms(terms.dies_after), terms.at_once]
        for brake in brakes.values():
            arguments += [brake.wrong, _ms(brake.first_lock), _ms(brake.longest_lock)]
        wait_ms = int(self._take(self._redis, keys, arguments))
        if wait_ms > 0:
            log.warning("sign-in refused: too many wrong passwords")
            emit({"service": "auth"}, LockedSignIns=1)
            raise AccountLocked(retry_after=-(-wait_ms // 1000))
        return attempt

    def failed(self, attempt: Attempt) -> None:
        self._end(attempt, right=False)

    def passed(self, attempt: Attempt) -> None:
        """What was wrong at this network before is forgiven."""
        self._end(attempt, right=True)

    def _end(self, attempt: Attempt, *, right: bool) -> None:
        """Die before this, and the attempt is forgotten in 30 s: nobody outside can make us die here."""
        counts_for = _ms(self._terms.counts_for)
        self._settle(self._redis, attempt.keys, [str(attempt.id), self._now(), int(right), counts_for])

    def _now(self) -> int:
        return int(self._clock().timestamp() * 1000)


class LockoutSettings(Settings):
    lockout_seconds: int = 60  # the first; the longest is fifteen times that


@cache
def lockout() -> Lockout:
    first = timedelta(seconds=LockoutSettings.from_environment().lockout_seconds)
    terms = LockoutTerms()
    network = replace(terms.network, first_lock=first, longest_lock=15 * first)
    return Lockout(redis.client(), utc_now, new_id, replace(terms, network=network))


def _ms(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)
