"""Encrypts personal data, and hashes them under a key so that they can be looked up (AUTH-020).

A sealed value is AES-256-GCM (NIST SP 800-38D):

    version (1 byte, 1) | data key's id (4, big-endian) | nonce (12, random) | ciphertext | tag (16)

Authenticated with it but not stored: version and key id, the owner and the field. So a value that was moved to another
row or column does not open.
"""

import os
import struct
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from functions.auth.adapters.lookup_hash import LookupHash
from functions.auth.domain.sealed_value import DataKey, SealBroken, SealedField

VERSION = 1
HEADER = struct.Struct(">BI")  # version, data key's id
NONCE_BYTES, TAG_BYTES = 12, 16


class Keys(Protocol):
    """Data keys, decrypted. Both methods raise StoreUnavailable."""

    def newest(self) -> DataKey:
        """The key that seals."""

    def by_id(self, key_id: int) -> DataKey | None: ...


class Vault:
    """`lookup_key` returns the 32 bytes for keyed hashes. With another key no stored hash would be found again."""

    def __init__(self, keys: Keys, lookup_key: Callable[[], bytes]) -> None:
        self._keys = keys
        self.lookup = LookupHash(lookup_key)

    def seal(self, owner: UUID, field: SealedField, text: str) -> bytes:
        """Encrypt `text` for `field` of `owner`'s row: 33 bytes longer than its UTF-8."""
        newest = self._keys.newest()
        header, nonce = HEADER.pack(VERSION, newest.id), os.urandom(NONCE_BYTES)
        return header + nonce + AESGCM(newest.key).encrypt(nonce, text.encode(), _bound(header, owner, field))

    def open(self, owner: UUID, field: SealedField, sealed: bytes) -> str:
        """Decrypt what was sealed for this owner and field. Raises SealBroken."""
        header, nonce, rest = _parts(sealed)
        data_key = self._keys.by_id(HEADER.unpack(header)[1])
        if data_key is None:
            raise SealBroken(f"{field}: unknown data key")
        try:
            return AESGCM(data_key.key).decrypt(nonce, rest, _bound(header, owner, field)).decode()
        except InvalidTag:
            raise SealBroken(f"{field}: not what was sealed here") from None

    def reseal(self, owner: UUID, field: SealedField, sealed: bytes) -> bytes:
        """The value under the newest data key; unchanged if that key sealed it. Raises SealBroken."""
        if sealed.startswith(self.newest_header()):
            return sealed
        return self.seal(owner, field, self.open(owner, field, sealed))

    def newest_header(self) -> bytes:
        """The first bytes of a value sealed now: values sealed under older keys sort before it."""
        return HEADER.pack(VERSION, self._keys.newest().id)


def _parts(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    start = HEADER.size + NONCE_BYTES
    if len(sealed) < start + TAG_BYTES or sealed[0] != VERSION:
        raise SealBroken("not a sealed value")
    return sealed[: HEADER.size], sealed[HEADER.size : start], sealed[start:]


def _bound(header: bytes, owner: UUID, field: SealedField) -> bytes:
    return header + owner.bytes + field.encode()
