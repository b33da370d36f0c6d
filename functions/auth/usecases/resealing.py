"""Every table that holds sealed values, and how its rows move to the newest data key (AUTH-020)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common.runtime.log import log
from common.stores.postgres import Database, Row
from functions.auth.adapters.vault import Field, SealBroken, Vault

BATCH_ROWS = 100


@dataclass(frozen=True)
class SealedTable:
    """`user_service.<name>`: each `<field>_sealed` is sealed for the UUID in the column `owner`."""

    name: str
    key: str  # its primary key
    owner: str
    fields: tuple[Field, ...]

    @property
    def columns(self) -> list[str]:
        return [f"{field}_sealed" for field in self.fields]

    @property
    def oldest(self) -> str:
        """The header of a row's oldest seal, as the table's index has it; null for a row with none."""
        return f"substring(LEAST({', '.join(self.columns)}) FOR 5)"


TABLES = (
    SealedTable("users", key="id", owner="id", fields=("email", "name", "phone", "ci")),
    SealedTable("dormant_personal_data", key="user_id", owner="user_id", fields=("email", "name", "phone", "ci")),
    SealedTable("login_history", key="id", owner="id", fields=("client",)),
)


@dataclass(frozen=True)
class Resealed:
    rows: int
    broken: int  # rows that do not open: theirs is another trouble than age
    left: int  # rows with a seal of an older key, the broken ones and those in use just now among them


class SealedTables:
    def __init__(self, database: Database, vault: Vault, tables: tuple[SealedTable, ...] = TABLES) -> None:
        self._database = database
        self._vault = vault
        self._tables = tables

    def reseal(self, time_left: Callable[[], bool]) -> Resealed:
        """Seal with the newest key whatever has an older one, batch by batch, until nothing or no time is left."""
        seen, broken, left = 0, 0, 0
        for table in self._tables:
            unfit: list[Any] = []
            while time_left() and (rows := self._batch(table, unfit)):
                seen += rows
            broken += len(unfit)
            left += self._left(table)
        return Resealed(seen - broken, broken, left)

    def _batch(self, table: SealedTable, unfit: list[Any]) -> int:
        """How many rows were looked at; those that do not open are added to `unfit`.

        A row is locked from when it is read until it is written, so that nobody's change is lost; one that somebody
        else holds is left for later, so that two of us, or we and a batch of theirs, never wait for each other. NO KEY:
        rows that refer to it, a new session's, go in meanwhile. Die before the commit and the batch is as it was.
        """
        with self._database.transaction() as connection:
            rows = connection.execute(
                f"""
                SELECT {table.key} AS key, {table.owner} AS owner, {", ".join(table.columns)}
                  FROM user_service.{table.name}
                 WHERE {table.oldest} < %s AND {table.key} <> ALL (%s)
                 ORDER BY {table.oldest} LIMIT {BATCH_ROWS}
                   FOR NO KEY UPDATE SKIP LOCKED
                """,
                (self._vault.newest_header(), unfit),
            ).fetchall()
            fresh = []
            for row in rows:
                try:
                    fresh.append(self._fresh(table, row))
                except SealBroken as broken:
                    log.error("a seal is broken", extra={"table": table.name, "row": row["key"], "what": str(broken)})
                    unfit.append(row["key"])
            columns = ", ".join(f"{column} = %({column})s" for column in table.columns)
            connection.cursor().executemany(
                f"UPDATE user_service.{table.name} SET {columns} WHERE {table.key} = %(key)s", fresh
            )
        return len(rows)

    def _fresh(self, table: SealedTable, row: Row) -> Row:
        fresh = {"key": row["key"]}
        for field, column in zip(table.fields, table.columns, strict=True):
            sealed = row[column]
            fresh[column] = None if sealed is None else self._vault.reseal(row["owner"], field, sealed)
        return fresh

    def _left(self, table: SealedTable) -> int:
        counted = self._database.row(
            f"SELECT count(*) AS rows FROM user_service.{table.name} WHERE {table.oldest} < %s",
            (self._vault.newest_header(),),
        )
        return int(counted["rows"]) if counted else 0
