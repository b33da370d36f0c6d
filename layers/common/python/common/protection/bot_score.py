"""How much a request looks automated, in points, and what to do about it (GW-027).

Only one layer rejects a request alone: a dozen accounts on one device. A person behind a company's proxy, in a cloud's
virtual desktop or without a fingerprint is slowed down or asked for a captcha. An address says little where thousands
share one, as a mobile carrier's customers do, so it weighs least.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, pstdev
from typing import Literal

Action = Literal["NONE", "SLOWER", "CAPTCHA", "REFUSED"]

WINDOW_SECONDS = 3600  # for which accounts are counted
CALLS_KEPT = 8
SLOW_SECONDS = 3  # between two requests of a caller that must slow down

NO_FINGERPRINT = 10
CLOUD_ADDRESS = 30
REGULAR = 40
# (accounts, points) from that many accounts on. A family shares a device; an internet café's has several users an hour.
DEVICE_ACCOUNTS = ((12, 80), (6, 50), (4, 30))
ADDRESS_ACCOUNTS = ((200, 25), (50, 15))
ACTIONS: tuple[tuple[int, Action], ...] = ((80, "REFUSED"), (50, "CAPTCHA"), (30, "SLOWER"))
# Standard deviation of the pauses between requests, as a part of their mean. A loop with a fixed sleep has 0.01, with
# the network's jitter 0.05; people clicking are around 1.
MACHINE_VARIATION = 0.1

_FINGERPRINT = re.compile(r"[\w.-]{16,128}", re.ASCII)


@dataclass(frozen=True)
class RequestTraits:
    """What is known of a request. `calls`: epoch seconds of the account's last eight requests, this one included."""

    has_fingerprint: bool
    from_cloud: bool
    device_accounts: int
    address_accounts: int
    calls: Sequence[float]


@dataclass(frozen=True)
class Verdict:
    layers: Mapping[str, int]  # points by signal
    action: Action

    @property
    def points(self) -> int:
        return sum(self.layers.values())


def is_fingerprint(header: str | None) -> bool:
    """16 to 128 letters, digits, `_`, `.` or `-`: what fingerprinting libraries make, hashes and UUIDs."""
    return bool(header and _FINGERPRINT.fullmatch(header))


def judge(traits: RequestTraits) -> Verdict:
    layers = {
        "fingerprint": 0 if traits.has_fingerprint else NO_FINGERPRINT,
        "cloud": CLOUD_ADDRESS if traits.from_cloud else 0,
        "device": _step(DEVICE_ACCOUNTS, traits.device_accounts),
        "address": _step(ADDRESS_ACCOUNTS, traits.address_accounts),
        "timing": REGULAR if is_regular(traits.calls) else 0,
    }
    earned = {layer: points for layer, points in layers.items() if points}
    action: Action = next((action for least, action in ACTIONS if sum(earned.values()) >= least), "NONE")
    if action == "SLOWER" and not _is_fast(traits.calls):
        action = "NONE"
    return Verdict(earned, action)


def is_regular(calls: Sequence[float]) -> bool:
    """Eight requests at equal intervals. Fewer say nothing."""
    if len(calls) < CALLS_KEPT:
        return False
    at = sorted(calls)
    pauses = [later - earlier for earlier, later in pairwise(at)]
    return pstdev(pauses) <= MACHINE_VARIATION * mean(pauses)


def _is_fast(calls: Sequence[float]) -> bool:
    last = sorted(calls)[-2:]
    return len(last) == 2 and last[1] - last[0] < SLOW_SECONDS


def _step(steps: Sequence[tuple[int, int]], count: int) -> int:
    return next((points for least, points in steps if count >= least), 0)
