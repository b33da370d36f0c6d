"""Moves sealed values to the newest data key (AUTH-020)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from common.runtime.log import log
from common.stores.postgres import Database, Row
from functions.auth.domain.sealed_value import SealBroken

if TYPE_CHECKING:
    from functions.auth.adapters.sealed_row_repository import SealedRowRepository, SealedTable
    from functions.auth.adapters.vault import Vault

BATCH_ROWS = 100


@dataclass(frozen=True)
class Resealed:
    rows: int
    broken: int  # rows that do not open: age is not their problem
    left: int  # rows with a seal of an older key, including the broken ones and those locked at the moment


class Resealing:
    def __init__(self, database: Database, repository: SealedRowRepository, vault: Vault) -> None:
        self._database = database
        self._repository = repository
        self._vault = vault

    def reseal(self, time_left: Callable[[], bool]) -> Resealed:
        """Seal every value of an older key with the newest, batch by batch, until no work or no time is left."""
        seen, broken, left = 0, 0, 0
        for table in self._repository.tables:
            broken_keys: list[Any] = []
            while time_left() and (rows := self._batch(table, broken_keys)):
                seen += rows
            broken += len(broken_keys)
            left += self._repository.count_older(table, self._vault.newest_header())
        return Resealed(seen - broken, broken, left)

    def _batch(self, table: SealedTable, broken_keys: list[Any]) -> int:
        """Returns how many rows were read; the keys of those that do not open are added to `broken_keys`.

        If the process crashes before the commit, the batch is unchanged.
        """
        with self._database.transaction() as connection:
            rows = self._repository.lock_older(connection, table, self._vault.newest_header(), broken_keys, BATCH_ROWS)
            resealed = []
            for row in rows:
                try:
                    resealed.append(self._resealed(table, row))
                except SealBroken as broken:
                    log.error("a seal is broken", extra={"table": table.name, "row": row["key"], "what": str(broken)})
                    broken_keys.append(row["key"])
            self._repository.update(connection, table, resealed)
        return len(rows)

    def _resealed(self, table: SealedTable, row: Row) -> Row:
        resealed = {"key": row["key"]}
        for field, column in zip(table.fields, table.columns, strict=True):
            sealed = row[column]
            resealed[column] = None if sealed is None else self._vault.reseal(row["owner"], field, sealed)
        return resealed
