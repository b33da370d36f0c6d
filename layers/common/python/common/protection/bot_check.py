"""Looks at who registers, logs in, enters a queue and holds seats, and acts on what looks automated (GW-027).

Accounts of a device and of an address are counted, and an account's last calls remembered, in one round trip: they are
in different slots, so it is a pipeline and not one script. Redis keeps hashes only, for an hour at most.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from common.domain.clock import Clock
from common.domain.shared_errors import BotSuspected, CaptchaRequired, RateLimited
from common.protection.bot_score import (
    CALLS_KEPT,
    SLOW_SECONDS,
    WINDOW_SECONDS,
    RequestTraits,
    Verdict,
    is_fingerprint,
    judge,
)
from common.protection.cloud_ranges import CloudRanges
from common.protection.rate_limit import network_hash
from common.runtime.log import log
from common.runtime.metrics import emit
from common.stores.redis import REDIS_FAILURES, Client, Script, run_together

KEEP_CALLS_SECONDS = 600
ScriptCall = tuple[Script, Sequence[str], Sequence[str | int]]
_LUA = Path(__file__).parent / "lua"


class BotCheck:
    """`check_captcha` raises CaptchaFailed, or ServiceUnavailable."""

    def __init__(self, redis: Client, clock: Clock, clouds: CloudRanges, check_captcha: Callable[[str], None]) -> None:
        self._redis = redis
        self._clock = clock
        self._clouds = clouds
        self._check_captcha = check_captcha
        self._count = Script(_LUA / "count_account.lua")
        self._note = Script(_LUA / "record_call.lua")

    def check(
        self,
        account: str,
        address: str,
        fingerprint: str | None,
        captcha_token: str,
        *,
        logged_in: bool,
        observe: bool,
    ) -> None:
        """Raises RateLimited, CaptchaRequired, CaptchaFailed, BotSuspected or ServiceUnavailable. With `observe` it
        only logs and counts what it would have done.

        `account` is a user's id, or the e-mail address of a user who logs in or registers.
        """
        verdict = self.verdict(account, address, fingerprint, logged_in=logged_in)
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
        if not captcha_token:
            raise CaptchaRequired()
        self._check_captcha(captcha_token)

    def verdict(self, account: str, address: str, fingerprint: str | None, *, logged_in: bool) -> Verdict | None:
        """None while Redis is unavailable: without the counts most of a verdict would be missing. The rate limits, the
        captcha of a login and the limit of four seats hold without it.
        """
        known = fingerprint if is_fingerprint(fingerprint) else None
        account_hash, network = _hash(account.lower()), network_hash(address)
        # Counted apart: a family of three that registers and then enters a queue would count as six otherwise.
        kind = "user" if logged_in else "email"
        # Anyone can send anyone's e-mail address: a stranger's calls must not slow the owner down.
        caller = account_hash if logged_in else _hash(f"{account_hash} {network}")
        now = int(self._clock().timestamp() * 1_000_000)
        counted = {
            layer: f"bot:{layer}:{kind}:{{{it}}}"
            for layer, it in (("device", known and _hash(known)), ("address", network))
            if it
        }
        note: ScriptCall = (self._note, [f"bot:calls:{{{caller}}}"], [now, CALLS_KEPT, KEEP_CALLS_SECONDS * 1000])
        counts: list[ScriptCall] = [
            (self._count, [key], [account_hash, WINDOW_SECONDS * 1000]) for key in counted.values()
        ]
        try:
            results = run_together(self._redis, [note, *counts])
        except REDIS_FAILURES:
            results = []
        if not results or any(isinstance(result, REDIS_FAILURES) for result in results):
            log.warning("Redis unavailable: no bot check")
            return None
        calls, *accounts = results
        many = dict(zip(counted, accounts, strict=True))
        return judge(
            RequestTraits(
                has_fingerprint=known is not None,
                from_cloud=address in self._clouds,
                device_accounts=int(many.get("device", 0)),
                address_accounts=int(many.get("address", 0)),
                calls=[int(call) / 1_000_000 for call in calls],
            )
        )


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
