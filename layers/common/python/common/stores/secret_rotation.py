"""The common part of every rotation of a secret: Secrets Manager's four steps, and a secret's versions with their
labels (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html).

A step may be repeated, crash half-way, or run at the same time as another rotation's.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

from common.runtime.log import log

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


class Superseded(Exception):
    """Another rotation was faster. This one ends and has changed nothing."""


class TooSoon(Exception):
    """Some execution environments may not have read the last change yet. Nothing was changed."""


class Missing(Exception):
    """A version that does not exist yet: Secrets Manager gives it its label before createSecret has run."""


class SecretVersions:
    """A secret's versions. `manager` is boto3's client."""

    def __init__(self, manager: Any, name: str) -> None:
        self._manager = manager
        self.name = name

    def is_called(self, secret_id: str) -> bool:
        return secret_id in (self.name, self.described()["ARN"])

    def described(self) -> dict[str, Any]:
        described: dict[str, Any] = self._manager.describe_secret(SecretId=self.name)
        return described

    def labelled(self) -> dict[str, str]:
        """The version of each label."""
        stages = self.described()["VersionIdsToStages"]
        return {label: version for version, labels in stages.items() for label in labels}

    def read(self, version: str) -> Any:
        """Raises Missing."""
        try:
            answer = self._manager.get_secret_value(SecretId=self.name, VersionId=version)
        except self._manager.exceptions.ResourceNotFoundException:
            raise Missing(version) from None
        return json.loads(answer["SecretString"])

    def holds(self, version: str) -> bool:
        with suppress(Missing):
            self.read(version)
            return True
        return False

    def add(self, version: str, value: Mapping[str, Any]) -> str:
        """Add a version that is not read yet. Does nothing if it exists: the step was repeated."""
        with suppress(self._manager.exceptions.ResourceExistsException):
            self._manager.put_secret_value(
                SecretId=self.name, ClientRequestToken=version, SecretString=json.dumps(value), VersionStages=[PENDING]
            )
        return version

    def move(self, label: str, of: str, to: str | None) -> bool:
        """Move a label from one version to another, atomically. False if the first does not have it any more."""
        target = {"MoveToVersionId": to} if to else {}
        try:
            self._manager.update_secret_version_stage(
                SecretId=self.name, VersionStage=label, RemoveFromVersionId=of, **target
            )
        except self._manager.exceptions.InvalidParameterException:
            return False
        return True


class Rotation(ABC):
    """The rotation of one secret: what each step does for `token`, which is also the id of the version it makes."""

    @abstractmethod
    def is_of(self, secret_id: str) -> bool: ...
    @abstractmethod
    def create(self, token: str) -> None: ...
    @abstractmethod
    def set(self, token: str) -> None: ...
    @abstractmethod
    def test(self, token: str) -> None: ...
    @abstractmethod
    def finish(self, token: str) -> None: ...

    def step(self, name: str, token: str) -> None:
        steps = dict(zip(STEPS, (self.create, self.set, self.test, self.finish), strict=True))
        if name not in steps:
            raise ValueError(f"no such step: {name}")
        log.info("rotation", extra={"of": type(self).__name__, "step": name})
        steps[name](token)

    def rotate(self) -> None:
        """All four."""
        token = str(uuid4())
        for name in STEPS:
            self.step(name, token)

    def run(self, event: Mapping[str, Any]) -> None:
        """Run the step that Secrets Manager asks for, or all four for an empty event, by hand."""
        if "Step" not in event:
            self.rotate()
        elif self.is_of(event["SecretId"]):
            self.step(event["Step"], event["ClientRequestToken"])
        else:
            raise ValueError("not the secret that is rotated here")
