"""A record of a dead-letter topic, and which of them an operator wants (EVT-024)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zlib import crc32


@dataclass(frozen=True)
class DeadLetter:
    dlq: str
    partition: int
    offset: int
    at: datetime
    key: str
    value: str  # as it was; empty if it was too large for any topic and is in the outbox only
    headers: Mapping[str, str]  # reason, topic; from a consumer also consumer, partition, offset; sometimes outbox_id

    @property
    def id(self) -> str:
        """`dlq.payment/0/17`."""
        return f"{self.dlq}/{self.partition}/{self.offset}"

    @property
    def origin(self) -> str:
        """Names the letter in the outbox, so that it is put back once."""
        # With a checksum: a broker that lost its log counts offsets from 0 again.
        return f"redrive/{self.id}/{crc32(f'{self.key} {self.value}'.encode())}"

    @property
    def topic(self) -> str:
        """The topic it came from."""
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
class LetterFilter:
    """Letters by id, or all that match and were not put back yet."""

    ids: Sequence[str] = ()
    reason: str = ""  # a part of it
    event_type: str = ""
    limit: int = 100  # of the letters that match; letters named by id are not counted

    def matches(self, letter: DeadLetter) -> bool:
        if self.ids:
            return letter.id in self.ids
        return self.reason in letter.reason and self.event_type in ("", letter.event_type)
