"""Lockouts in Redis: guessing passwords gets slower and slower, with or without an account (AUTH-006).

For an address at one network, five wrong passwords lock it there for a minute; each further one doubles the time, up to
fifteen minutes. For an address at all networks from which its owner has not logged in, fifty in an hour lock those for
five minutes, so guessing from many places does not lock the owner out at home. A wrong password counts for an hour.

Ten passwords are compared at once, one after a lock. Attempts that run side by side are counted when they end, so a
burst gets at most 14 comparisons where guessing one by one gets 5.
"""

from datetime import timedelta
from pathlib import Path

from common.domain.clock import Clock, NewId
from common.runtime.log import log
from common.runtime.metrics import emit
from common.stores.redis import Client, Script
from functions.auth.domain.errors import AccountLocked
from functions.auth.domain.lockout import Attempt, LockoutTerms

_LUA = Path(__file__).parent / "lua"


class Lockout:
    def __init__(self, redis: Client, clock: Clock, ids: NewId, terms: LockoutTerms | None = None) -> None:
        self._redis = redis
        self._clock = clock
        self._ids = ids
        self._terms = terms or LockoutTerms()
        self._begin = Script(_LUA / "begin_attempt.lua")
        self._end = Script(_LUA / "end_attempt.lua")

    def check(self, owner: bytes, network: bytes, *, known_network: bool) -> Attempt:
        """Call it before a password is compared; one round trip. Raises AccountLocked with `retry_after`.

        `owner` and `network` are hashes or ids: of an address and of the network that the attempt comes from.
        `known_network`: the owner has logged in from there.
        """
        terms = self._terms
        rules = terms.rules(network.hex(), known_network=known_network)
        address = f"lockout:{{{owner.hex()}}}"
        keys = tuple(f"{address}:{place}:{what}" for place in rules for what in ("wrong", "comparing"))
        attempt = Attempt(self._ids(), keys)
        arguments: list[str | int] = [str(attempt.id), self._now()]
        arguments += [_ms(terms.counts_for), _ms(terms.abandoned_after), terms.at_once]
        for rule in rules.values():
            arguments += [rule.wrong, _ms(rule.first_lock), _ms(rule.longest_lock)]
        wait_ms = int(self._begin(self._redis, keys, arguments))
        if wait_ms > 0:
            log.warning("login rejected: too many wrong passwords")
            emit({"service": "auth"}, LockedSignIns=1)
            raise AccountLocked(retry_after=-(-wait_ms // 1000))
        return attempt

    def failed(self, attempt: Attempt) -> None:
        self._finish(attempt, correct=False)

    def passed(self, attempt: Attempt) -> None:
        """Forgets the wrong passwords from this network."""
        self._finish(attempt, correct=True)

    def _finish(self, attempt: Attempt, *, correct: bool) -> None:
        """If the process crashes before this, the attempt is abandoned after 30 s. A caller cannot cause that crash."""
        counts_for = _ms(self._terms.counts_for)
        self._end(self._redis, attempt.keys, [str(attempt.id), self._now(), int(correct), counts_for])

    def _now(self) -> int:
        return int(self._clock().timestamp() * 1000)


def _ms(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)
