"""Gives every service a new key for its calls to others, in the four steps of Secrets Manager's rotation (INT-009).

Execution environments keep what they read for five minutes. For that long after a rotation, some call with the old
first key and some check against the old list. Both lists have both first keys, so no call is rejected. A leaked key is
invalid after three rotations.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from common.domain.clock import Clock
from common.stores.secret_rotation import CURRENT, Rotation, SecretVersions, Superseded, TooSoon
from common.stores.secrets import KEEP_SECONDS
from functions.gateway.domain.service_keys import follows, rotated

# Until every environment has read a change, and every call that began before has ended.
READ_EVERYWHERE_AFTER = timedelta(seconds=KEEP_SECONDS + 60)


class ServiceKeyRotation(Rotation):
    """`manager` is boto3's client."""

    def __init__(self, manager: Any, prefix: str, clock: Clock, new_key: Callable[[], str]) -> None:
        self._keys = SecretVersions(manager, f"{prefix}service-keys")
        self._clock = clock
        self._new_key = new_key

    def is_of(self, secret_id: str) -> bool:
        return self._keys.is_called(secret_id)

    def create(self, token: str) -> None:
        if self._keys.holds(token):
            return
        left = self._keys.described()["LastChangedDate"] + READ_EVERYWHERE_AFTER - self._clock()
        if left > timedelta(0):
            raise TooSoon(f"the keys may change in {left.total_seconds():.0f} s")
        self._keys.add(token, rotated(self._keys.read(self._current()), self._new_key))

    def set(self, token: str) -> None:
        """Nothing: only this secret's readers need the keys."""

    def test(self, token: str) -> None:
        current = self._current()
        if token != current and not follows(self._keys.read(token), self._keys.read(current)):
            raise Superseded(token)

    def finish(self, token: str) -> None:
        replaced = self._current()
        if replaced == token:
            return  # a repeated call
        self.test(token)
        # One command: Secrets Manager rejects it if another rotation has moved the label in the meantime.
        if not self._keys.move(CURRENT, replaced, token):
            self.finish(token)

    def _current(self) -> str:
        return self._keys.labelled()[CURRENT]
