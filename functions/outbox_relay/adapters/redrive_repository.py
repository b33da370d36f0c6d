"""Dead letters that are put back, in the outbox."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from uuid import UUID

from common.messaging.outbox import shard_of
from common.stores.postgres import Connection, Database
from functions.outbox_relay.domain.dead_letter import DeadLetter


class RedriveRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractContextManager[Connection]:
        return self._database.transaction()

    def payload(self, connection: Connection, outbox_id: int) -> str | None:
        row = connection.execute("SELECT payload FROM common.outbox_events WHERE id = %s", (outbox_id,)).fetchone()
        return row["payload"] if row else None

    def add(self, connection: Connection, letter: DeadLetter, value: str) -> bool:
        """Write the letter's message to the outbox again. False if that was done before."""
        message = letter.message
        added = connection.execute(
            """
            INSERT INTO common.outbox_events
                   (message_id, topic, partition_key, shard, aggregate_type, aggregate_id, event_type, payload, headers,
                    origin)
            VALUES (gen_random_uuid(), %(topic)s, %(key)s, %(shard)s, %(aggregate_type)s, %(aggregate_id)s,
                    %(event_type)s, %(value)s, jsonb_build_object('redriven', %(id)s::text), %(origin)s)
            ON CONFLICT (origin) DO NOTHING
            """,
            {
                "topic": letter.topic,
                "key": letter.key,
                "shard": shard_of(letter.key),
                "aggregate_type": str(message.get("aggregateType", "DeadLetter")),
                "aggregate_id": _uuid(message.get("aggregateId")),
                "event_type": letter.event_type or "DeadLetter",
                "value": value,
                "id": letter.id,
                "origin": letter.origin,
            },
        )
        return added.rowcount == 1

    def times_put_back(self, letters: Sequence[DeadLetter]) -> dict[str, datetime]:
        """By origin: when each of these letters was put back, if it was."""
        rows = self._database.rows(
            "SELECT origin, created_at FROM common.outbox_events WHERE origin = ANY(%s)",
            ([letter.origin for letter in letters],),
        )
        return {row["origin"]: row["created_at"] for row in rows}


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
