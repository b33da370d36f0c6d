"""Personal data at rest: sealed so that a stolen table shows nothing, hashed under a key so that it can be looked up
(AUTH-020).

A sealed value, of AES-256-GCM (NIST SP 800-38D):

    version (1 byte, 1) | data key's id (4, big-endian) | nonce (12, random) | ciphertext | tag (16)

Authenticated with it, and kept nowhere: version and key id, whose it is, and which field. So a value that was moved to
another row or another column does not open.
"""

import hmac
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1
HEADER = struct.Struct(">BI")  # version, data key's id
NONCE_BYTES, TAG_BYTES = 12, 16

# Whatever else is sealed gets its name here: no two fields may share one.
Field = Literal["email", "name", "phone", "ci", "client"]


class SealBroken(Exception):
    """Not sealed by us, for this row and this column, or changed since. Says nothing of what is in it."""


@dataclass(frozen=True)
class DataKey:
    id: int  # 1 to 2³² - 1; a newer key has a greater one
    key: bytes = field(repr=False)  # 32 bytes


class Keys(Protocol):
    """Data keys in the clear. Both raise StoreUnavailable."""

    def newest(self) -> DataKey:
        """The one that seals."""

    def by_id(self, key_id: int) -> DataKey | None: ...


class Vault:
    """`lookup_key` gives the 32 bytes of keyed hashes, which are for ever: with another key nothing is found again."""

    def __init__(self, keys: Keys, lookup_key: Callable[[], bytes]) -> None:
        self._keys = keys
        self._lookup_key = lookup_key

    def seal(self, owner: UUID, field: Field, text: str) -> bytes:
        """`text`, to be kept in `field` of the row of `owner`: 33 bytes longer than its UTF-8."""
        newest = self._keys.newest()
        header, nonce = HEADER.pack(VERSION, newest.id), os.urandom(NONCE_BYTES)
        return header + nonce + AESGCM(newest.key).encrypt(nonce, text.encode(), _bound(header, owner, field))

    def open(self, owner: UUID, field: Field, sealed: bytes) -> str:
        """What was sealed for this owner and field. Raises SealBroken."""
        header, nonce, rest = _parts(sealed)
        data_key = self._keys.by_id(HEADER.unpack(header)[1])
        if data_key is None:
            raise SealBroken(f"{field}: its data key is not known")
        try:
            return AESGCM(data_key.key).decrypt(nonce, rest, _bound(header, owner, field)).decode()
        except InvalidTag:
            raise SealBroken(f"{field}: not what was sealed here") from None

    def reseal(self, owner: UUID, field: Field, sealed: bytes) -> bytes:
        """The same under the newest data key; the very same if it is already. Raises SealBroken."""
        if sealed.startswith(self.newest_header()):
            return sealed
        return self.seal(owner, field, self.open(owner, field, sealed))

    def newest_header(self) -> bytes:
        """How a value sealed now begins: those sealed under older keys sort before it."""
        return HEADER.pack(VERSION, self._keys.newest().id)

    def lookup(self, kind: str, text: str) -> bytes:
        """The 32 bytes under which `text` is found again: HMAC-SHA-256, apart for each `kind` ("email", "ci", …).

        An e-mail address is compared case-folded (AUTH-005); everything else as it is.
        """
        compared = text.casefold() if kind == "email" else text
        return hmac.digest(self._lookup_key(), f"{kind}\0{compared}".encode(), "sha256")


def _parts(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    start = HEADER.size + NONCE_BYTES
    if len(sealed) < start + TAG_BYTES or sealed[0] != VERSION:
        raise SealBroken("not a sealed value")
    return sealed[: HEADER.size], sealed[HEADER.size : start], sealed[start:]


def _bound(header: bytes, owner: UUID, field: Field) -> bytes:
    return header + owner.bytes + field.encode()
