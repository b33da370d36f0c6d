"""Gives every service a new key for its calls to others, in the four steps of Secrets Manager's rotation (INT-009,
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html).

    {"Step": "createSecret", "SecretId": …, "ClientRequestToken": …}   one step, from Secrets Manager
    {}                                                                 all four, by hand

`service-keys` lists a service's keys: the one it calls with, the next, the one before. Containers keep what they read
for five minutes, so for as long after a rotation some call with the old first key and some check against the old list.
Both lists hold both first keys, and no call is refused. A leaked key is out after three rotations.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import uuid4

from common.clock import Clock, utc_now
from common.log import log
from common.secrets import KEEP_SECONDS, SecretSettings

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
SETTLE = timedelta(seconds=KEEP_SECONDS + 60)  # until everybody has read a change and every call under way has ended

Keys = Mapping[str, Sequence[str]]


class TooSoon(Exception):
    """Some may not know the last change yet. Nothing was changed."""


class Superseded(Exception):
    """Another rotation was faster. Nothing was changed."""


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


class ServiceKeyRotation:
    """`manager` is boto3's client."""

    def __init__(self, manager: Any, prefix: str, clock: Clock, new_key: Callable[[], str]) -> None:
        self._manager = manager
        self._secret = f"{prefix}service-keys"
        self._clock = clock
        self._new_key = new_key

    def is_of(self, secret_id: str) -> bool:
        return secret_id in (self._secret, self._manager.describe_secret(SecretId=self._secret)["ARN"])

    def rotate(self) -> None:
        token = str(uuid4())
        for step in STEPS:
            self.step(step, token)

    def step(self, name: str, token: str) -> None:
        """One step of the rotation `token`, which is also the id of the version it makes; each may be repeated."""
        log.info("rotation of the service keys", extra={"step": name})
        match name:
            case "createSecret":
                self._create(token)
            case "setSecret":
                pass  # nobody but this secret's readers has to learn of it
            case "testSecret":
                self._test(token)
            case "finishSecret":
                self._finish(token)
            case _:
                raise ValueError(f"no such step: {name}")

    def _create(self, token: str) -> None:
        try:
            self._read(token)
        except self._manager.exceptions.ResourceNotFoundException:
            described = self._manager.describe_secret(SecretId=self._secret)
            if self._clock() < described["LastChangedDate"] + SETTLE:
                raise TooSoon from None
            self._manager.put_secret_value(
                SecretId=self._secret,
                ClientRequestToken=token,
                SecretString=json.dumps(rotated(self._read(self._current()), self._new_key)),
                VersionStages=[PENDING],
            )

    def _test(self, token: str) -> str:
        """The version it would replace."""
        current = self._current()
        if token != current and not follows(self._read(token), self._read(current)):
            raise Superseded(token)
        return current

    def _finish(self, token: str) -> None:
        replaced = self._test(token)
        if replaced == token:
            return  # said twice
        # One command: Secrets Manager refuses it when another rotation has moved the label meanwhile.
        self._manager.update_secret_version_stage(
            SecretId=self._secret, VersionStage=CURRENT, RemoveFromVersionId=replaced, MoveToVersionId=token
        )

    def _current(self) -> str:
        versions: dict[str, list[str]] = self._manager.describe_secret(SecretId=self._secret)["VersionIdsToStages"]
        return next(version for version, labels in versions.items() if CURRENT in labels)

    def _read(self, version: str) -> dict[str, list[str]]:
        answer = self._manager.get_secret_value(SecretId=self._secret, VersionId=version)
        keys: dict[str, list[str]] = json.loads(answer["SecretString"])
        return keys


@cache
def rotation() -> ServiceKeyRotation:
    import boto3
    from botocore.config import Config

    manager = boto3.client("secretsmanager", config=Config(connect_timeout=2, read_timeout=5))
    return ServiceKeyRotation(manager, SecretSettings.from_environment().secrets_prefix, utc_now, lambda: str(uuid4()))


def handler(event: dict[str, Any], _context: Any) -> None:
    log.clear_state()
    if "Step" not in event:
        rotation().rotate()
    elif rotation().is_of(event["SecretId"]):
        rotation().step(event["Step"], event["ClientRequestToken"])
    else:
        raise ValueError("not the secret that is rotated here")
