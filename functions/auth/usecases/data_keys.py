"""Data keys: sealed by KMS, stored sealed in Postgres, decrypted only in the memory of an execution environment
(AUTH-020)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from common.domain.shared_errors import ServiceUnavailable
from functions.auth.domain.sealed_value import DataKey, SealedDataKey

if TYPE_CHECKING:
    from functions.auth.adapters.data_key_repository import DataKeyRepository

KEEP_SECONDS = 300  # an execution environment may keep sealing with a key that has a successor for this long


class Kms(Protocol):
    def generate(self) -> tuple[bytes, bytes]:
        """A new data key of 32 bytes, and the same key sealed."""

    def decrypt(self, sealed_key: bytes) -> bytes: ...


class DataKeys:
    def __init__(self, repository: DataKeyRepository, kms: Kms, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._repository = repository
        self._kms = kms
        self._elapsed = elapsed
        self._known: dict[int, DataKey] = {}
        self._newest: tuple[DataKey, float] | None = None  # and until when

    def newest(self) -> DataKey:
        """Raises ServiceUnavailable while there is no key: `renew` makes the first."""
        if self._newest is None or self._newest[1] <= self._elapsed():
            found = self._repository.newest()
            if found is None:
                raise ServiceUnavailable(retry_after=60)
            self._newest = (self._opened(found), self._elapsed() + KEEP_SECONDS)
        return self._newest[0]

    def by_id(self, key_id: int) -> DataKey | None:
        if key_id in self._known:
            return self._known[key_id]
        found = self._repository.by_id(key_id)
        return self._opened(found) if found else None

    def renew(self, now: datetime, older_than: timedelta) -> datetime:
        """Make a key unless the newest is younger than that. Returns when the newest was made.

        Two calls at once may make two keys: one of them seals nothing, which does no harm.
        """
        created_at = self._repository.newest_created_at()
        if created_at is not None and created_at > now - older_than:
            return created_at
        sealed_key = self._kms.generate()[1]
        self._repository.add(sealed_key, now)
        self._newest = None
        return now

    def _opened(self, sealed: SealedDataKey) -> DataKey:
        known = self._known.get(sealed.id)
        if known is None:
            known = self._known[sealed.id] = DataKey(sealed.id, self._kms.decrypt(sealed.sealed_key))
        return known
