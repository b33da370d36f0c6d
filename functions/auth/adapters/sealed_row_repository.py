"""Every table that holds sealed values, and the rows that an older data key sealed (AUTH-020)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common.stores.postgres import Connection, Database, Row
from functions.auth.domain.sealed_value import SealedField


@dataclass(frozen=True)
class SealedTable:
    """`user_service.<name>`: each `<field>_sealed` is sealed for the UUID in the column `owner`."""

    name: str
    key: str  # its primary key
    owner: str
    fields: tuple[SealedField, ...]

    @property
    def columns(self) -> list[str]:
        return [f"{field}_sealed" for field in self.fields]

    @property
    def oldest(self) -> str:
        """The header of a row's oldest seal, as in the table's index; null for a row without sealed values."""
        return f"substring(LEAST({', '.join(self.columns)}) FOR 5)"


TABLES = (
    SealedTable("users", key="id", owner="id", fields=("email", "name", "phone", "ci")),
    SealedTable("dormant_personal_data", key="user_id", owner="user_id", fields=("email", "name", "phone", "ci")),
    SealedTable("login_history", key="id", owner="id", fields=("client",)),
)


class SealedRowRepository:
    def __init__(self, database: Database, tables: tuple[SealedTable, ...] = TABLES) -> None:
        self._database = database
        self.tables = tables

    def lock_older(
        self, connection: Connection, table: SealedTable, header: bytes, skip: Sequence[Any], limit: int
    ) -> list[Row]:
        """Rows (`key`, `owner`, sealed columns) whose oldest seal is older than `header`, without the keys in `skip`.

        A row is locked from the read to the commit, so that no other change is lost; a row that another transaction has
        locked is left for later, so that neither waits for the other. NO KEY: rows that refer to it, like those of a
        new session, can be added meanwhile.
        """
        return connection.execute(
            f"""
            SELECT {table.key} AS key, {table.owner} AS owner, {", ".join(table.columns)}
              FROM user_service.{table.name}
             WHERE {table.oldest} < %s AND {table.key} <> ALL (%s)
             ORDER BY {table.oldest} LIMIT %s
               FOR NO KEY UPDATE SKIP LOCKED
            """,
            (header, skip, limit),
        ).fetchall()

    def update(self, connection: Connection, table: SealedTable, rows: list[Row]) -> None:
        columns = ", ".join(f"{column} = %({column})s" for column in table.columns)
        connection.cursor().executemany(
            f"UPDATE user_service.{table.name} SET {columns} WHERE {table.key} = %(key)s", rows
        )

    def count_older(self, table: SealedTable, header: bytes) -> int:
        counted = self._database.row(
            f"SELECT count(*) AS rows FROM user_service.{table.name} WHERE {table.oldest} < %s", (header,)
        )
        return int(counted["rows"]) if counted else 0
