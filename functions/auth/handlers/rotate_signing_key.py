"""Gives access tokens a new signing key, in the four steps of Secrets Manager's rotation.

    {"Step": "createSecret", "SecretId": …, "ClientRequestToken": …}   one step, from Secrets Manager
    {}                                                                 all four, by hand
    {"leaked": true}                                                   twice all four: no key there was verifies on

Nobody is logged out but after a leak, when clients have to use their refresh tokens.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import uuid4

import boto3
import jwt
from botocore.config import Config

from common.domain.clock import Clock, utc_now
from common.runtime.log import log
from common.runtime.settings import Settings
from common.stores.secret_rotation import CURRENT, PENDING, Missing, Rotation, SecretVersions, Superseded, TooSoon
from common.stores.secrets import KEEP_SECONDS, SecretSettings
from functions.auth.adapters.access_token_jwt import ALGORITHM, PrivateKey, PublicKey
from functions.auth.domain.signing_keys import follows, new_key, public_half, published, rotated
from functions.auth.handlers.list_verification_keys import KEEP_SECONDS as JWKS_KEEP_SECONDS


class Unpublished(Exception):
    """A new key is not among those that verify: setSecret has not been run."""


class SigningKeyRotation(Rotation):
    """`keep`: for how long a key that no longer signs must verify. `settle`: after how long everybody knows a new one.
    `manager` is boto3's client."""

    def __init__(self, manager: Any, prefix: str, clock: Clock, keep: timedelta, settle: timedelta) -> None:
        self._signing = SecretVersions(manager, f"{prefix}jwt/signing")
        self._verification = SecretVersions(manager, f"{prefix}jwt/verification")
        self._clock = clock
        self._keep = keep
        self._settle = settle

    def is_of(self, secret_id: str) -> bool:
        return self._signing.is_called(secret_id)

    def state(self) -> dict[str, list[str]]:
        """The ids of the keys that sign now and next, and of those that verify."""
        signing = self._signing_keys(self._signing.labelled()[CURRENT])
        return {"signing": [key["kid"] for key in signing], "verification": [key["kid"] for key in self._published()]}

    def create(self, token: str) -> None:
        if self._signing.holds(token):
            return
        after = rotated(self._signing_keys(self._signing.labelled()[CURRENT]), new_key())
        self._publish()  # should somebody have lost a key there
        known_from = self._published_at(after[0]["kid"]) + self._settle.total_seconds()
        left = known_from - int(self._clock().timestamp())
        if left > 0:
            raise TooSoon(f"the next key may sign in {left:.0f} s")
        self._signing.add(token, {"keys": after})

    def set(self, token: str) -> None:
        self._require(token)
        self._publish()

    def test(self, token: str) -> None:
        """Sign with each key of the new version, and verify with what everybody reads."""
        self._require(token)
        published = {key["kid"]: key for key in self._published()}
        for key in self._signing_keys(token):
            if key["kid"] not in published:
                raise Unpublished(key["kid"])
            signed = jwt.encode({}, key["pem"], algorithm=ALGORITHM)
            jwt.decode(signed, jwt.PyJWK(dict(published[key["kid"]])), algorithms=[ALGORITHM])

    def finish(self, token: str) -> None:
        current = self._signing.labelled()[CURRENT]
        if current != token:
            self._require(token)
            if not follows(self._signing_keys(token), self._signing_keys(current)):
                # Made from keys that are gone by now: what would sign again may verify no longer.
                self._signing.move(PENDING, token, None)
                raise Superseded(token)
            self._publish()  # should setSecret never have run
            if not self._signing.move(CURRENT, current, token):
                self.finish(token)  # who was faster may have been us, twice
                return
        # Die here, and the old keys are still among those in use: the next rotation retires them.
        self._signing.move(PENDING, token, None)
        self._publish()

    def _require(self, token: str) -> None:
        versions = self._signing.labelled()
        if token not in (versions[CURRENT], versions.get(PENDING)):
            raise Superseded(token)

    def _publish(self) -> None:
        """Bring `jwt/verification` in line with the versions of `jwt/signing` as they are now."""
        while True:
            version = self._verification.labelled()[CURRENT]
            before: list[PublicKey] = self._verification.read(version)["keys"]
            wanted = published(before, self._in_use(), self._clock(), self._keep)
            if wanted == before:
                return
            # Die here, and a version nobody reads is left.
            written = self._verification.add(str(uuid4()), {"keys": wanted})
            if self._verification.move(CURRENT, version, written):
                return
            # Another rotation wrote meanwhile: read again, so that neither's keys are lost.

    def _in_use(self) -> list[PublicKey]:
        versions = self._signing.labelled()
        found: dict[str, PublicKey] = {}
        for label in (CURRENT, PENDING):
            if label in versions:
                with suppress(Missing):
                    found |= {key["kid"]: public_half(key) for key in self._signing_keys(versions[label])}
        return list(found.values())

    def _published(self) -> list[PublicKey]:
        keys: list[PublicKey] = self._verification.read(self._verification.labelled()[CURRENT])["keys"]
        return keys

    def _published_at(self, kid: str) -> int:
        (since,) = (key.get("publishedAt", 0) for key in self._published() if key["kid"] == kid)
        return since

    def _signing_keys(self, version: str) -> list[PrivateKey]:
        keys: list[PrivateKey] = self._signing.read(version)["keys"]
        return keys


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


def handler(event: Mapping[str, Any], _context: Any) -> dict[str, list[str]]:
    log.clear_state()
    if event.get("leaked"):
        for _ in range(2):  # whoever has read the secret has the next key too
            rotation(leaked=True).rotate()
    else:
        rotation().run(event)
    return rotation().state()
