"""Counts round trips to Redis: a batch of writes, to however many nodes, before the first answer is read."""

from typing import Any, Self

import pytest
from redis.connection import AbstractConnection


class RoundTrips:
    """`with round_trips as rounds: …`, then `rounds.count`."""

    def __init__(self) -> None:
        self.count = 0
        self._writing = False

    def wrote(self) -> None:
        self.count += not self._writing
        self._writing = True

    def read(self) -> None:
        self._writing = False

    def __enter__(self) -> Self:
        self.count, self._writing = 0, False
        return self

    def __exit__(self, *_: object) -> None:
        """Counting goes on until the next `with`, harmlessly."""


@pytest.fixture
def round_trips(monkeypatch: pytest.MonkeyPatch) -> RoundTrips:
    rounds = RoundTrips()
    send, read = AbstractConnection.send_packed_command, AbstractConnection.read_response

    def counted_send(self: AbstractConnection, *arguments: Any, **options: Any) -> Any:
        rounds.wrote()
        return send(self, *arguments, **options)

    def counted_read(self: AbstractConnection, *arguments: Any, **options: Any) -> Any:
        rounds.read()
        return read(self, *arguments, **options)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", counted_send)
    monkeypatch.setattr(AbstractConnection, "read_response", counted_read)
    return rounds
