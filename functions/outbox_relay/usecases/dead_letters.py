"""What ended on the dead-letter topics: to be listed, looked at and put back (EVT-024).

Putting back goes through the outbox, under a name made of the letter's place: however often and by however many people
it is asked for, it happens once. Consumers that had applied the message skip it; if it fails again it comes back as
another letter, with another place.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID
from zlib import crc32

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from common.messaging.messages import DEAD_LETTERS
from common.messaging.outbox import shard_of
from common.stores.postgres import Connection, Database
from functions.outbox_relay.usecases.relay import BrokerAway

NEWEST = 10_000  # letters of a partition that are looked at


@dataclass(frozen=True)
class Letter:
    """One record of a dead-letter topic."""

    dlq: str
    partition: int
    offset: int
    at: datetime
    key: str
    value: str  # as it was; empty where it was too large for any topic and lies in the outbox only
    headers: Mapping[str, str]  # reason, topic; from a consumer also consumer, partition, offset; maybe outbox_id

    @property
    def id(self) -> str:
        """`dlq.payment/0/17`."""
        return f"{self.dlq}/{self.partition}/{self.offset}"

    @property
    def origin(self) -> str:
        # With a checksum: a broker that lost its log counts offsets from 0 again.
        return f"redrive/{self.id}/{crc32(f'{self.key} {self.value}'.encode())}"

    @property
    def topic(self) -> str:
        return self.headers.get("topic", "")

    @property
    def reason(self) -> str:
        return self.headers.get("reason", "")

    @property
    def message(self) -> Mapping[str, Any]:
        """The envelope, as far as it can be read."""
        try:
            message = json.loads(self.value)
        except ValueError:
            return {}
        return message if isinstance(message, dict) else {}

    @property
    def event_type(self) -> str:
        return str(self.message.get("eventType", ""))


@dataclass(frozen=True)
class Wanted:
    """Which letters: by id, or all that fit and were not put back yet."""

    ids: Sequence[str] = ()
    reason: str = ""  # a part of it
    event_type: str = ""
    limit: int = 100  # of those that fit; what is named is not counted

    def fits(self, letter: Letter) -> bool:
        if self.ids:
            return letter.id in self.ids
        return self.reason in letter.reason and self.event_type in ("", letter.event_type)


class DeadLetters:
    def __init__(self, database: Database, connection: Mapping[str, Any]) -> None:
        """`connection` is what kafka-python takes: `bootstrap_servers` and the like."""
        self._database = database
        self._connection = connection

    def find(self, wanted: Wanted, *, with_done: bool = True) -> list[tuple[Letter, datetime | None]]:
        """Letters, oldest first, each with when it was put back, if it was. Raises BrokerAway."""
        letters = sorted(
            (letter for letter in self._read() if wanted.fits(letter)),
            key=lambda letter: (letter.dlq, letter.partition, letter.offset),
        )
        done = self._put_back_at(letters)
        found = ((letter, done.get(letter.origin)) for letter in letters)
        return list(
            islice((each for each in found if with_done or each[1] is None), None if wanted.ids else wanted.limit)
        )

    def put_back(self, wanted: Wanted, *, dry_run: bool = False) -> dict[str, str]:
        """Letter id -> what became of it. All in one transaction: one that dies half-way has put back nothing."""
        found = self.find(wanted, with_done=bool(wanted.ids))
        outcomes = dict.fromkeys(wanted.ids, "is not there")
        with self._database.transaction() as connection:
            for letter, done_at in found:
                if done_at is not None:
                    outcomes[letter.id] = f"was put back at {done_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
                else:
                    outcomes[letter.id] = self._put_back(connection, letter, dry_run)
        return outcomes

    def _put_back(self, connection: Connection, letter: Letter, dry_run: bool) -> str:
        if letter.topic not in DEAD_LETTERS:
            return "cannot be put back: it does not say which topic it is of"
        value: str | None = letter.value
        if "outbox_id" in letter.headers:
            row = connection.execute(
                "SELECT payload FROM common.outbox_events WHERE id = %s", (int(letter.headers["outbox_id"]),)
            ).fetchone()
            value = row["payload"] if row else None
        if value is None:
            return "cannot be put back: its outbox row is gone"
        if dry_run:
            return f"would be put back on {letter.topic}"
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
        ).rowcount
        return f"put back on {letter.topic}" if added else "was put back just now"

    def _put_back_at(self, letters: Sequence[Letter]) -> dict[str, datetime]:
        rows = self._database.rows(
            "SELECT origin, created_at FROM common.outbox_events WHERE origin = ANY(%s)",
            ([letter.origin for letter in letters],),
        )
        return {row["origin"]: row["created_at"] for row in rows}

    def _read(self) -> Iterable[Letter]:
        try:
            consumer = KafkaConsumer(
                **self._connection,
                group_id=None,  # a look changes nothing
                enable_auto_commit=False,
                bootstrap_timeout_ms=3_000,
                allow_auto_create_topics=False,
            )
        except KafkaError as error:
            raise BrokerAway(str(error)) from error
        try:
            yield from _letters(consumer)
        except KafkaError as error:
            raise BrokerAway(str(error)) from error
        finally:
            consumer.close()


def _letters(consumer: Any) -> Iterable[Letter]:
    places = [
        TopicPartition(topic, number)
        for topic in sorted(set(DEAD_LETTERS.values()))
        for number in consumer.partitions_for_topic(topic) or ()
    ]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    for place, first in consumer.beginning_offsets(places).items():
        consumer.seek(place, max(first, ends[place] - NEWEST))
    while any(consumer.position(place) < ends[place] for place in places):
        for records in consumer.poll(timeout_ms=1_000).values():
            yield from map(_letter, records)


def _letter(record: Any) -> Letter:
    def text(raw: bytes | None) -> str:
        return (raw or b"").decode("utf-8", "replace")

    return Letter(
        dlq=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=text(record.key),
        value=text(record.value),
        headers={name: text(value) for name, value in record.headers},
    )


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
