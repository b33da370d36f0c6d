"""Delivers messages from the outbox to consumers without a broker: in order, each once."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from common.messaging.consumer import Consumer
from common.stores.postgres import Database


class MessageDelivery:
    """`MessageDelivery(superuser, {"event.events": [consumer]})`."""

    def __init__(self, outbox: Database, consumers: Mapping[str, list[Consumer]]) -> None:
        self._outbox = outbox
        self._consumers = consumers
        self._delivered = 0

    def deliver(self) -> list[str]:
        """Delivers the new messages to the consumers of their topics. Returns their event types."""
        rows = self._outbox.rows(
            "SELECT id, topic, partition_key, event_type, payload FROM common.outbox_events WHERE id > %s ORDER BY id",
            (self._delivered,),
        )
        for row in rows:
            for consumer in self._consumers.get(row["topic"], []):
                assert consumer(_batch(row)) == {"batchItemFailures": []}
            self._delivered = row["id"]
        return [row["event_type"] for row in rows]


def _batch(row: Mapping[str, Any]) -> dict[str, Any]:
    record = {
        "topic": row["topic"],
        "partition": 0,
        "offset": row["id"],
        "timestamp": 0,
        "timestampType": "CREATE_TIME",
        "key": b64encode(row["partition_key"].encode()).decode(),
        "value": b64encode(row["payload"].encode()).decode(),
        "headers": [],
    }
    return {"eventSource": "aws:kafka", "records": {f"{row['topic']}-0": [record]}}
