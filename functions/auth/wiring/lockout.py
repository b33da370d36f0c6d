"""The lockout after wrong passwords."""

from dataclasses import replace
from datetime import timedelta
from functools import cache

from common.domain.clock import new_id, utc_now
from common.runtime.settings import Settings
from common.wiring.redis_client import redis_client
from functions.auth.adapters.lockout_redis import Lockout
from functions.auth.domain.lockout import LockoutTerms


class LockoutSettings(Settings):
    lockout_seconds: int = 60  # the first lock; the longest is fifteen times that


@cache
def lockout() -> Lockout:
    first = timedelta(seconds=LockoutSettings.from_environment().lockout_seconds)
    terms = LockoutTerms()
    network = replace(terms.network, first_lock=first, longest_lock=15 * first)
    return Lockout(redis_client(), utc_now, new_id, replace(terms, network=network))
