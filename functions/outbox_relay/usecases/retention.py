"""What is deleted when, in batches small enough that nobody waits for them (requirements, Data)."""

from collections.abc import Callable
from dataclasses import dataclass

from common.stores.postgres import Database

BATCH = 1_000
# What was buried or put back, so that neither happens twice, and what an empty letter refers to. A letter lies on its
# topic for two weeks at most: seven days, and as many until its segment is full.
OF_A_LETTER = "origin IS NOT NULL OR headers ? 'outbox_id'"


@dataclass(frozen=True)
class Rule:
    table: str
    key: str
    moment: str  # the column that ages
    days: int
    only: str = "true"  # which of its rows


RULES = (
    Rule("common.outbox_events", "id", "published_at", 7, f"NOT ({OF_A_LETTER})"),
    Rule("common.outbox_events", "id", "published_at", 30, OF_A_LETTER),
    Rule("common.processed_events", "(consumer, message_id)", "processed_at", 30),
    Rule("common.failed_attempts", "origin", "failed_at", 30),
)


class Retention:
    """Each batch is a transaction of its own: die anywhere, and the next run goes on with what is left."""

    def __init__(self, database: Database, batch: int = BATCH) -> None:
        self._database = database
        self._batch = batch

    def prune(self, may_go_on: Callable[[], bool]) -> dict[str, int]:
        """Delete what is over its days, table by table; how many rows of each. Stops between batches when told to."""
        deleted = dict.fromkeys((rule.table for rule in RULES), 0)
        for rule in RULES:
            while may_go_on():
                gone = self._prune_once(rule)
                deleted[rule.table] += gone
                if gone < self._batch:
                    break
        return deleted

    def _prune_once(self, rule: Rule) -> int:
        with self._database.transaction() as connection:
            return connection.execute(
                f"""
                DELETE FROM {rule.table} WHERE {rule.key} IN (
                  SELECT {rule.key.strip("()")} FROM {rule.table}
                   WHERE {rule.moment} < now() - make_interval(days => %s) AND ({rule.only})
                   ORDER BY {rule.moment} LIMIT %s)
                """,
                (rule.days, self._batch),
            ).rowcount
