"""Gives every service a new key for its calls to others, in the four steps of Secrets Manager's rotation (INT-009).

    {"Step": "createSecret", "SecretId": …, "ClientRequestToken": …}   one step, from Secrets Manager
    {}                                                                 all four, by hand

`service-keys` lists a service's keys: the one it calls with, the next, the one before. Containers keep what they read
for five minutes, so for as long after a rotation some call with the old first key and some check against the old list.
Both lists hold both first keys, and no call is refused. A leaked key is out after three rotations.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import uuid4

from common.domain.clock import Clock, utc_now
from common.runtime.log import log
from common.stores.secret_rotation import CURRENT, Rotation, SecretVersions, Superseded, TooSoon
from common.stores.secrets import KEEP_SECONDS, SecretSettings

SETTLE = timedelta(seconds=KEEP_SECONDS + 60)  # until everybody has read a change and every call under way has ended

Keys = Mapping[str, Sequence[str]]


def rotated(keys: Keys, new_key: Callable[[], str]) -> dict[str, list[str]]:
    """The next of each service becomes its first; of a service with one key it stays, for nobody knows another."""
    return {
        service: [now, new_key()] if not after else [after[0], new_key(), now]
        for service, (now, *after) in keys.items()
    }


def follows(after: Keys, before: Keys) -> bool:
    """Whether calls succeed while some know only the one and some only the other."""
    return after.keys() == before.keys() and all(
        after[service][0] in before[service] and before[service][0] in after[service] for service in after
    )


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
        left = self._keys.described()["LastChangedDate"] + SETTLE - self._clock()
        if left > timedelta(0):
            raise TooSoon(f"the keys may change in {left.total_seconds():.0f} s")
        self._keys.add(token, rotated(self._keys.read(self._current()), self._new_key))

    def set(self, token: str) -> None:
        """Nobody but this secret's readers has to learn of it."""

    def test(self, token: str) -> None:
        current = self._current()
        if token != current and not follows(self._keys.read(token), self._keys.read(current)):
            raise Superseded(token)

    def finish(self, token: str) -> None:
        replaced = self._current()
        if replaced == token:
            return  # said twice
        self.test(token)
        # One command: Secrets Manager refuses it when another rotation has moved the label meanwhile.
        if not self._keys.move(CURRENT, replaced, token):
            self.finish(token)

    def _current(self) -> str:
        return self._keys.labelled()[CURRENT]


@cache
def rotation() -> ServiceKeyRotation:
    import boto3
    from botocore.config import Config

    manager = boto3.client("secretsmanager", config=Config(connect_timeout=2, read_timeout=5))
    return ServiceKeyRotation(manager, SecretSettings.from_environment().secrets_prefix, utc_now, lambda: str(uuid4()))


def handler(event: dict[str, Any], _context: Any) -> None:
    log.clear_state()
    rotation().run(event)
