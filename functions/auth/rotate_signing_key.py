"""Gives access tokens a new signing key, in the four steps of Secrets Manager's rotation, each of which may be
repeated, die half-way or run beside another's
(https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html).

    {"Step": "createSecret", "SecretId": …, "ClientRequestToken": …}   one step, from Secrets Manager
    {}                                                                 all four, by hand
    {"leaked": true}                                                   twice all four: no key there was verifies on

Nobody is logged out but after a leak, when clients have to use their refresh tokens.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import uuid4

import boto3
import jwt
from botocore.config import Config
from botocore.exceptions import ClientError

from common.clock import Clock, utc_now
from common.log import log
from common.secrets import KEEP_SECONDS, SecretSettings
from common.settings import Settings
from functions.auth.access_token import ALGORITHM, PrivateKey, PublicKey
from functions.auth.jwks import KEEP_SECONDS as JWKS_KEEP_SECONDS
from functions.auth.signing_keys import follows, new_key, public_half, published, rotated

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


class Superseded(Exception):
    """Another rotation was faster: this one ends, and has changed nothing."""


class TooSoon(Exception):
    """The key that would sign has not been there for long enough for everybody to know it. Nothing was changed."""


class Unpublished(Exception):
    """A new key is not among those that verify: setSecret has not been run."""


class SigningKeyRotation:
    """`keep`: for how long a key that no longer signs must verify. `settle`: after how long everybody knows a new one.
    `manager` is boto3's client."""

    def __init__(self, manager: Any, prefix: str, clock: Clock, keep: timedelta, settle: timedelta) -> None:
        self._manager = manager
        self._signing = f"{prefix}jwt/signing"
        self._verification = f"{prefix}jwt/verification"
        self._clock = clock
        self._keep = keep
        self._settle = settle

    def rotate(self) -> None:
        token = str(uuid4())
        for step in STEPS:
            self.step(step, token)

    def step(self, name: str, token: str) -> None:
        """One step of the rotation `token`, which is also the id of the version it makes."""
        log.info("rotation of the signing key", extra={"step": name})
        match name:
            case "createSecret":
                self._create(token)
            case "setSecret":
                self._require(token)
                self._publish()
            case "testSecret":
                self._test(token)
            case "finishSecret":
                self._finish(token)
            case _:
                raise ValueError(f"no such step: {name}")

    def is_of(self, secret_id: str) -> bool:
        return secret_id in (self._signing, self._manager.describe_secret(SecretId=self._signing)["ARN"])

    def state(self) -> dict[str, list[str]]:
        """The ids of the keys that sign now and next, and of those that verify."""
        signing = self._keys(self._signing, self._versions(self._signing)[CURRENT])
        return {"signing": [key["kid"] for key in signing], "verification": [key["kid"] for key in self._published()]}

    def _create(self, token: str) -> None:
        try:
            self._keys(self._signing, token)
        except self._manager.exceptions.ResourceNotFoundException:
            keys: list[PrivateKey] = self._keys(self._signing, self._versions(self._signing)[CURRENT])
            after = rotated(keys, new_key())
            self._publish()  # should somebody have lost a key there
            known_from = self._published_at(after[0]["kid"]) + self._settle.total_seconds()
            left = known_from - int(self._clock().timestamp())
            if left > 0:
                raise TooSoon(f"the next key may sign in {left:.0f} s") from None
            with suppress(self._manager.exceptions.ResourceExistsException):  # who was faster was us, twice
                self._put(self._signing, after, token)

    def _published_at(self, kid: str) -> int:
        (since,) = (key.get("publishedAt", 0) for key in self._published() if key["kid"] == kid)
        return since

    def _require(self, token: str) -> None:
        versions = self._versions(self._signing)
        if token not in (versions[CURRENT], versions.get(PENDING)):
            raise Superseded(token)

    def _published(self) -> list[PublicKey]:
        keys: list[PublicKey] = self._keys(self._verification, self._versions(self._verification)[CURRENT])
        return keys

    def _publish(self) -> None:
        """Bring `jwt/verification` in line with the versions of `jwt/signing` as they are now."""
        while True:
            version = self._versions(self._verification)[CURRENT]
            before: list[PublicKey] = self._keys(self._verification, version)
            wanted = published(before, self._in_use(), self._clock(), self._keep)
            if wanted == before:
                return
            # Die here, and a version nobody reads is left.
            written = self._put(self._verification, wanted, str(uuid4()))
            if self._move(self._verification, CURRENT, version, written):
                return
            # Another rotation wrote meanwhile: read again, so that neither's keys are lost.

    def _in_use(self) -> list[PublicKey]:
        versions = self._versions(self._signing)
        found: dict[str, PublicKey] = {}
        for label in (CURRENT, PENDING):
            if label in versions:
                try:
                    keys = self._keys(self._signing, versions[label])
                except self._manager.exceptions.ResourceNotFoundException:
                    continue  # Secrets Manager has given the label out and createSecret not yet run
                found |= {key["kid"]: public_half(key) for key in keys}
        return list(found.values())

    def _test(self, token: str) -> None:
        """Sign with each key of the new version, and verify with what everybody reads."""
        self._require(token)
        published = {key["kid"]: key for key in self._published()}
        for key in self._keys(self._signing, token):
            if key["kid"] not in published:
                raise Unpublished(key["kid"])
            signed = jwt.encode({}, key["pem"], algorithm=ALGORITHM)
            jwt.decode(signed, jwt.PyJWK(dict(published[key["kid"]])), algorithms=[ALGORITHM])

    def _finish(self, token: str) -> None:
        current = self._versions(self._signing)[CURRENT]
        if current != token:
            self._require(token)
            if not follows(self._keys(self._signing, token), self._keys(self._signing, current)):
                # Made from keys that are gone by now: what would sign again may verify no longer.
                self._move(self._signing, PENDING, token, None)
                raise Superseded(token)
            self._publish()  # should setSecret never have run
            if not self._move(self._signing, CURRENT, current, token):
                self._finish(token)  # who was faster may have been us, twice
                return
        # Die here, and the old keys are still among those in use: the next rotation retires them.
        self._move(self._signing, PENDING, token, None)
        self._publish()

    def _versions(self, secret: str) -> dict[str, str]:
        """Which version bears which label."""
        described = self._manager.describe_secret(SecretId=secret)["VersionIdsToStages"]
        return {label: version for version, labels in described.items() for label in labels}

    def _keys(self, secret: str, version: str) -> Any:
        return json.loads(self._manager.get_secret_value(SecretId=secret, VersionId=version)["SecretString"])["keys"]

    def _put(self, secret: str, keys: Sequence[PrivateKey] | Sequence[PublicKey], version: str) -> str:
        text = json.dumps({"keys": keys})
        self._manager.put_secret_value(
            SecretId=secret, ClientRequestToken=version, SecretString=text, VersionStages=[PENDING]
        )
        return version

    def _move(self, secret: str, label: str, of: str, to: str | None) -> bool:
        """Take a label from one version and give it to another, both or neither; False when the one has it no more."""
        target = {"MoveToVersionId": to} if to else {}
        try:
            self._manager.update_secret_version_stage(
                SecretId=secret, VersionStage=label, RemoveFromVersionId=of, **target
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidParameterException":
                raise
            return False
        return True


class RotationSettings(Settings):
    access_token_seconds: int = 3600


@cache
def rotation(*, leaked: bool = False) -> SigningKeyRotation:
    # The last token is signed by a container that read the secret just before the switch; three times that, for calls
    # in flight. A new key is known when containers have read it, and whoever keeps our JWKS has asked again.
    keep = timedelta(seconds=RotationSettings.from_environment().access_token_seconds + 3 * KEEP_SECONDS)
    settle = timedelta(seconds=KEEP_SECONDS + JWKS_KEEP_SECONDS)
    if leaked:
        keep = settle = timedelta(0)
    manager = boto3.client("secretsmanager", config=Config(connect_timeout=2, read_timeout=5))
    return SigningKeyRotation(manager, SecretSettings.from_environment().secrets_prefix, utc_now, keep, settle)


def handler(event: dict[str, Any], _context: Any) -> dict[str, list[str]]:
    log.clear_state()
    if "Step" in event:
        if not rotation().is_of(event["SecretId"]):
            raise ValueError("not the secret that is rotated here")
        rotation().step(event["Step"], event["ClientRequestToken"])
    elif event.get("leaked"):
        for _ in range(2):  # whoever has read the secret has the next key too
            rotation(leaked=True).rotate()
    else:
        rotation().rotate()
    return rotation().state()
