"""The rotation of the keys that sign and verify access tokens, in the four steps of Secrets Manager (RFC 7517)."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from common.domain.clock import Clock
from common.stores.secret_rotation import CURRENT, PENDING, Missing, Rotation, SecretVersions, Superseded, TooSoon
from functions.auth.domain.signing_keys import PrivateKey, PublicKey, follows, published, rotated

if TYPE_CHECKING:
    from functions.auth.adapters.signing_key_pair import SigningKeyPairs


class Unpublished(Exception):
    """A new key is not among those that verify: setSecret has not run."""


class SigningKeyRotation(Rotation):
    """`verify_for`: how long a key that no longer signs must verify. `known_after`: how long until every verifier knows
    a new key. `manager` is boto3's client."""

    def __init__(
        self,
        manager: Any,
        prefix: str,
        pairs: SigningKeyPairs,
        clock: Clock,
        verify_for: timedelta,
        known_after: timedelta,
    ) -> None:
        self._signing = SecretVersions(manager, f"{prefix}jwt/signing")
        self._verification = SecretVersions(manager, f"{prefix}jwt/verification")
        self._pairs = pairs
        self._clock = clock
        self._verify_for = verify_for
        self._known_after = known_after

    def is_of(self, secret_id: str) -> bool:
        return self._signing.is_called(secret_id)

    def state(self) -> dict[str, list[str]]:
        """The ids of the current and the next signing key, and of the keys that verify."""
        signing = self._signing_keys(self._signing.labelled()[CURRENT])
        return {"signing": [key["kid"] for key in signing], "verification": [key["kid"] for key in self._published()]}

    def create(self, token: str) -> None:
        if self._signing.holds(token):
            return
        after = rotated(self._signing_keys(self._signing.labelled()[CURRENT]), self._pairs.new())
        self._publish()  # in case a key is missing there
        known_from = self._published_at(after[0]["kid"]) + self._known_after.total_seconds()
        left = known_from - int(self._clock().timestamp())
        if left > 0:
            raise TooSoon(f"the next key may sign in {left:.0f} s")
        self._signing.add(token, {"keys": after})

    def set(self, token: str) -> None:
        self._require(token)
        self._publish()

    def test(self, token: str) -> None:
        """Sign with each key of the new version, and verify with the published keys."""
        self._require(token)
        published = {key["kid"]: key for key in self._published()}
        for key in self._signing_keys(token):
            if key["kid"] not in published:
                raise Unpublished(key["kid"])
            self._pairs.check(key, published[key["kid"]])

    def finish(self, token: str) -> None:
        current = self._signing.labelled()[CURRENT]
        if current != token:
            self._require(token)
            if not follows(self._signing_keys(token), self._signing_keys(current)):
                # It was made from keys that have been replaced: its key may no longer verify.
                self._signing.move(PENDING, token, None)
                raise Superseded(token)
            self._publish()  # in case setSecret has not run
            if not self._signing.move(CURRENT, current, token):
                self.finish(token)  # the other call may have been of the same rotation
                return
        # If the process crashes here, the old keys still count as in use: the next rotation retires them.
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
            wanted = published(before, self._in_use(), self._clock(), self._verify_for)
            if wanted == before:
                return
            # If the process crashes here, it leaves a version that is never read.
            written = self._verification.add(str(uuid4()), {"keys": wanted})
            if self._verification.move(CURRENT, version, written):
                return
            # Another rotation has written: read again, so that no key is lost.

    def _in_use(self) -> list[PublicKey]:
        versions = self._signing.labelled()
        found: dict[str, PublicKey] = {}
        for label in (CURRENT, PENDING):
            if label in versions:
                with suppress(Missing):
                    found |= {key["kid"]: self._pairs.public_half(key) for key in self._signing_keys(versions[label])}
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
