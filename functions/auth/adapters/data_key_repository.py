"""Sealed data keys in Postgres (AUTH-020)."""

from datetime import datetime

from common.stores.postgres import Database, Row
from functions.auth.domain.sealed_value import SealedDataKey


class DataKeyRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self) -> SealedDataKey | None:
        found = self._database.row("SELECT id, sealed_key FROM user_service.data_keys ORDER BY id DESC LIMIT 1")
        return _data_key(found) if found else None

    def by_id(self, key_id: int) -> SealedDataKey | None:
        found = self._database.row("SELECT id, sealed_key FROM user_service.data_keys WHERE id = %s", (key_id,))
        return _data_key(found) if found else None

    def newest_created_at(self) -> datetime | None:
        newest = self._database.row("SELECT max(created_at) AS created_at FROM user_service.data_keys")
        created_at: datetime | None = newest["created_at"] if newest else None
        return created_at

    def add(self, sealed_key: bytes, now: datetime) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO user_service.data_keys (sealed_key, created_at) VALUES (%s, %s)", (sealed_key, now)
            )


def _data_key(row: Row) -> SealedDataKey:
    return SealedDataKey(row["id"], row["sealed_key"])
