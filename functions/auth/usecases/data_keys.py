"""Data keys: sealed by KMS, kept so in Postgres, in the clear in a warm container's memory only (AUTH-020)."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from common.domain.shared_errors import ServiceUnavailable
from common.stores.postgres import Database, Row
from functions.auth.adapters.vault import DataKey

KEEP_SECONDS = 300  # for so long a container goes on sealing with a key that has a successor


class Kms(Protocol):
    def generate(self) -> tuple[bytes, bytes]:
        """A new data key of 32 bytes, and the same sealed."""

    def decrypt(self, sealed_key: bytes) -> bytes: ...


class DataKeys:
    def __init__(self, database: Database, kms: Kms, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._kms = kms
        self._elapsed = elapsed
        self._known: dict[int, DataKey] = {}
        self._newest: tuple[DataKey, float] | None = None  # and until when

    def newest(self) -> DataKey:
        """Raises ServiceUnavailable while there is none: `renew` makes the first."""
        if self._newest is None or self._newest[1] <= self._elapsed():
            found = self._database.row("SELECT id, sealed_key FROM user_service.data_keys ORDER BY id DESC LIMIT 1")
            if found is None:
                raise ServiceUnavailable(retry_after=60)
            self._newest = (self._opened(found), self._elapsed() + KEEP_SECONDS)
        return self._newest[0]

    def by_id(self, key_id: int) -> DataKey | None:
        if key_id in self._known:
            return self._known[key_id]
        found = self._database.row("SELECT id, sealed_key FROM user_service.data_keys WHERE id = %s", (key_id,))
        return self._opened(found) if found else None

    def renew(self, now: datetime, older_than: timedelta) -> datetime:
        """Make a key unless the newest is younger than that; when the newest was made.

        Two at once may make two: one of them seals nothing, and harms nobody.
        """
        newest = self._database.row("SELECT max(created_at) AS made FROM user_service.data_keys")
        made: datetime | None = newest["made"] if newest else None
        if made is not None and made > now - older_than:
            return made
        sealed_key = self._kms.generate()[1]
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO user_service.data_keys (sealed_key, created_at) VALUES (%s, %s)", (sealed_key, now)
            )
        self._newest = None
        return now

    def _opened(self, row: Row) -> DataKey:
        known = self._known.get(row["id"])
        if known is None:
            known = self._known[row["id"]] = DataKey(row["id"], self._kms.decrypt(row["sealed_key"]))
        return known
