"""Find dead letters, and put them back on the topic they came from (EVT-024).

Letters go back through the outbox, under a name made of the letter's place: however often and by however many people it
is asked for, it happens once. Consumers that had applied the message skip it; if it fails again, it becomes another
letter, at another place.
"""

from datetime import UTC, datetime
from itertools import islice

from common.messaging.messages import DEAD_LETTERS
from common.stores.postgres import Connection
from functions.outbox_relay.adapters.dead_letter_topics import DeadLetterTopics
from functions.outbox_relay.adapters.redrive_repository import RedriveRepository
from functions.outbox_relay.domain.dead_letter import DeadLetter, LetterFilter


class Redrive:
    def __init__(self, topics: DeadLetterTopics, repository: RedriveRepository) -> None:
        self._topics = topics
        self._repository = repository

    def find(self, wanted: LetterFilter, *, with_done: bool = True) -> list[tuple[DeadLetter, datetime | None]]:
        """Letters, oldest first, each with the time when it was put back, if it was. Raises BrokerUnavailable."""
        letters = sorted(
            (letter for letter in self._topics.read() if wanted.matches(letter)),
            key=lambda letter: (letter.dlq, letter.partition, letter.offset),
        )
        done = self._repository.times_put_back(letters)
        found = ((letter, done.get(letter.origin)) for letter in letters)
        return list(
            islice((each for each in found if with_done or each[1] is None), None if wanted.ids else wanted.limit)
        )

    def put_back(self, wanted: LetterFilter, *, dry_run: bool = False) -> dict[str, str]:
        """Put letters back. Returns what became of each, by letter id.

        All in one transaction: if the process crashes here, nothing was put back. Raises BrokerUnavailable.
        """
        found = self.find(wanted, with_done=bool(wanted.ids))
        outcomes = dict.fromkeys(wanted.ids, "is not there")
        with self._repository.transaction() as connection:
            for letter, done_at in found:
                if done_at is not None:
                    outcomes[letter.id] = f"was put back at {done_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
                else:
                    outcomes[letter.id] = self._put_back(connection, letter, dry_run)
        return outcomes

    def _put_back(self, connection: Connection, letter: DeadLetter, dry_run: bool) -> str:
        if letter.topic not in DEAD_LETTERS:
            return "cannot be put back: it does not say which topic it is of"
        value: str | None = letter.value
        if "outbox_id" in letter.headers:
            value = self._repository.payload(connection, int(letter.headers["outbox_id"]))
        if value is None:
            return "cannot be put back: its outbox row was deleted"
        if dry_run:
            return f"would be put back on {letter.topic}"
        added = self._repository.add(connection, letter, value)
        return f"put back on {letter.topic}" if added else "was put back just now"
