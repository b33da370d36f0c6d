"""Deletes rows that are past their retention."""

from common.stores.postgres import Database
from functions.outbox_relay.domain.retention import RetentionRule


class RetentionRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    def delete_batch(self, rule: RetentionRule, batch: int) -> int:
        """Delete the oldest rows, `batch` at most, in a transaction of their own. Returns how many."""
        with self._database.transaction() as connection:
            return connection.execute(
                f"""
                DELETE FROM {rule.table} WHERE {rule.key} IN (
                  SELECT {rule.key.strip("()")} FROM {rule.table}
                   WHERE {rule.time} < now() - make_interval(days => %s) AND ({rule.only})
                   ORDER BY {rule.time} LIMIT %s)
                """,
                (rule.days, batch),
            ).rowcount
