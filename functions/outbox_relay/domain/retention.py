"""What is deleted when (docs/requirements.md, Data)."""

from dataclasses import dataclass

# Rows that became a dead letter or were put back, so that neither happens twice, and rows that an empty letter refers
# to. A letter stays on its topic for two weeks at most: seven days, and as many until its segment is full.
_OF_A_LETTER = "origin IS NOT NULL OR headers ? 'outbox_id'"


@dataclass(frozen=True)
class RetentionRule:
    table: str
    key: str
    time: str  # the column with the time that counts
    days: int
    only: str = "true"  # which of the table's rows


RETENTION_RULES = (
    RetentionRule("common.outbox_events", "id", "published_at", 7, f"NOT ({_OF_A_LETTER})"),
    RetentionRule("common.outbox_events", "id", "published_at", 30, _OF_A_LETTER),
    RetentionRule("common.processed_events", "(consumer, message_id)", "processed_at", 30),
    RetentionRule("common.failed_attempts", "origin", "failed_at", 30),
)
