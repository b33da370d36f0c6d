"""Watches who registers, signs in, lines up and holds seats, and acts on what looks like a machine (GW-027).

Accounts of a device and of an address are counted, and an account's last calls remembered, in one round trip: they lie
in different slots, so it is a pipeline and not one script. Redis keeps hashes only, for an hour at most.
"""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from common.domain.clock import Clock, utc_now
from common.domain.shared_errors import BotSuspected, CaptchaRequired, RateLimited
from common.http.request import Request
from common.protection.bot_score import (
    CALLS_KEPT,
    SLOW_SECONDS,
    WINDOW_SECONDS,
    Sighting,
    Verdict,
    is_fingerprint,
    judge,
)
from common.protection.cloud_ranges import CloudRanges, shipped_ranges
from common.protection.rate_limit import network_hash
from common.runtime.log import log
from common.runtime.metrics import emit
from common.stores import redis
from common.stores.redis import REDIS_FAILURES, Client, Script, run_together

KEEP_CALLS_SECONDS = 600
Call = tuple[Script, Sequence[str], Sequence[str | int]]
_LUA = Path(__file__).parent / "lua"


class BotWatch:
    def __init__(self, redis: Client, clock: Clock, clouds: CloudRanges) -> None:
        self._redis = redis
        self._clock = clock
        self._clouds = clouds
        self._count = Script(_LUA / "count_account.lua")
        self._note = Script(_LUA / "note_call.lua")

    def see(self, account: str, address: str, fingerprint: str | None, *, signed_in: bool) -> Verdict | None:
        """`account` is a user's id, or the e-mail address of whoever is about to be one.

        Redis away: None. Without the counts most of a verdict would be missing, and what stands behind this, the
        limits, the captcha of a sign-in and four seats a buyer, holds without it.
        """
        known = fingerprint if is_fingerprint(fingerprint) else None
        who, network = _hash(account.lower()), network_hash(address)
        # Apart, or a family of three that registers and then lines up would be six.
        kind = "user" if signed_in else "email"
        # Anybody can write anybody's e-mail address: his calls are not to slow its owner down.
        caller = who if signed_in else _hash(f"{who} {network}")
        now = int(self._clock().timestamp() * 1_000_000)
        counted = {
            layer: f"bot:{layer}:{kind}:{{{it}}}"
            for layer, it in (("device", known and _hash(known)), ("address", network))
            if it
        }
        note: Call = (self._note, [f"bot:calls:{{{caller}}}"], [now, CALLS_KEPT, KEEP_CALLS_SECONDS * 1000])
        counts: list[Call] = [(self._count, [key], [who, WINDOW_SECONDS * 1000]) for key in counted.values()]
        try:
            results = run_together(self._redis, [note, *counts])
        except REDIS_FAILURES:
            results = []
        if not results or any(isinstance(result, REDIS_FAILURES) for result in results):
            log.warning("Redis is away; nobody is watched")
            return None
        calls, *accounts = results
        many = dict(zip(counted, accounts, strict=True))
        return judge(
            Sighting(
                has_fingerprint=known is not None,
                from_cloud=address in self._clouds,
                device_accounts=int(many.get("device", 0)),
                address_accounts=int(many.get("address", 0)),
                calls=[int(call) / 1_000_000 for call in calls],
            )
        )


def guard(request: Request, account: str, *, signed_in: bool, observe: bool) -> None:
    """Raises RateLimited, CaptchaRequired, CAPTCHA_FAILED or BotSuspected; `observe` only says it would have."""
    fingerprint = request.headers.get("x-device-fingerprint")
    verdict = bot_watch().see(account, request.source_ip, fingerprint, signed_in=signed_in)
    if verdict is None or not verdict.layers:
        return
    for layer in verdict.layers:
        emit({"layer": layer}, BotSignals=1)
    if verdict.action == "NONE":
        return
    mode = "observe" if observe else "on"
    emit({"action": verdict.action.lower(), "guard": mode}, BotActions=1)
    log.warning("looks like a bot", extra={"layers": verdict.layers, "action": verdict.action, "guard": mode})
    if observe:
        return
    if verdict.action == "SLOWER":
        raise RateLimited(limit=60 // SLOW_SECONDS, retry_after=SLOW_SECONDS)
    if verdict.action == "REFUSED":
        raise BotSuspected()
    token = request.headers.get("x-captcha-token", "")
    if not token:
        raise CaptchaRequired()
    from common.protection.captcha import captcha  # httpx: only the suspected pay its import

    captcha().check(token)


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@cache
def bot_watch() -> BotWatch:
    return BotWatch(redis.client(), utc_now, shipped_ranges())
