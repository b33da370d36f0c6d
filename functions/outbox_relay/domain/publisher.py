"""The broker as the relay sees it."""

from collections.abc import Sequence
from typing import Protocol

from functions.outbox_relay.domain.outbox_row import OutboxRow


class BrokerUnavailable(Exception):
    """The broker, or the leader of a partition, accepts nothing now. The message is not the cause."""


class Publisher(Protocol):
    """Kafka, or a fake in tests."""

    def connect(self) -> None:
        """Connect unless connected. Raises BrokerUnavailable."""

    def publish(self, rows: Sequence[OutboxRow]) -> list[Exception | None]:
        """Send all the rows. For each: None once the broker has stored it, or the error: BrokerUnavailable, or what is
        wrong with the row. Takes well under the 15 s after which Postgres ends an idle transaction."""
