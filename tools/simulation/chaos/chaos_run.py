"""Kills processes while messages are written, waits for recovery, and compares the result with what was committed."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg

from common.domain.ids import EventId, ReservationId, SeatId, UserId
from common.domain.shared_errors import StoreUnavailable
from common.messaging.messages import DEAD_LETTERS, RESERVATION_EVENTS, Envelope, ReservationConfirmed
from common.messaging.outbox import Outbox
from common.stores.postgres import Database
from emulator import services
from emulator.stack import StackError
from migrations.__main__ import LOGINS, migrate, set_passwords
from tools.simulation.chaos.brokers import Cluster
from tools.simulation.chaos.consumer_process import ConsumerProcess
from tools.simulation.relay_process import RelayProcess
from tools.simulation.topic import Topic

PASSWORD = "chaos-only"
PARTITIONS = 6
TOPICS = {RESERVATION_EVENTS: PARTITIONS, DEAD_LETTERS[RESERVATION_EVENTS]: 1}
KEYS = 100


@dataclass
class Report:
    """Counts of a run; `lost` and those after it must be 0."""

    committed: int = 0
    records: int = 0
    distinct: int = 0
    rolled_back: int = 0
    effects: int = 0
    lost: int = 0
    never_committed: int = 0
    keys_out_of_order: int = 0
    not_applied: int = 0
    applied_twice: int = 0
    effects_out_of_order: int = 0
    dead_letters: int = 0
    recoveries: dict[str, list[float]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.committed == self.distinct == self.effects > 0 and not any(
            (
                self.lost,
                self.never_committed,
                self.keys_out_of_order,
                self.not_applied,
                self.applied_twice,
                self.effects_out_of_order,
                self.dead_letters,
            )
        )

    def table(self) -> str:
        lines = [
            ("messages committed", self.committed),
            ("transactions rolled back", self.rolled_back),
            ("records on the topic", self.records),
            ("of which repeats", self.records - self.distinct),
            ("distinct messages", self.distinct),
            ("effects", self.effects),
            ("committed but not on the topic", self.lost),
            ("on the topic but not committed", self.never_committed),
            ("keys out of order", self.keys_out_of_order),
            ("messages not applied", self.not_applied),
            ("messages applied twice", self.applied_twice),
            ("keys applied out of order", self.effects_out_of_order),
            ("dead letters", self.dead_letters),
        ]
        faults = [
            f"| {fault} | {len(seconds)} | {sum(seconds) / len(seconds):.1f} | {max(seconds):.1f} |"
            for fault, seconds in self.recoveries.items()
        ]
        return "\n".join(
            [
                "| | |",
                "|---|---:|",
                *(f"| {what} | {count:,} |" for what, count in lines),
                "",
                "| killed | times | s until recovered and all earlier messages published, mean | worst |",
                "|---|---:|---:|---:|",
                *faults,
                "",
                "passed" if self.passed else "FAILED",
            ]
        )


class Writer(threading.Thread):
    """Commits numbered messages of each key under the key's row lock; one transaction in twenty rolls back."""

    def __init__(self, conninfo: str, keys: Sequence[UUID], a_second: float) -> None:
        super().__init__()
        self._database = Database(conninfo)
        self._keys = keys
        self._pause = 1 / a_second
        self._stop_requested = threading.Event()
        self.rolled_back = 0

    def run(self) -> None:
        while not self._stop_requested.wait(self._pause):
            try:
                self._write(random.choice(self._keys), abort=random.random() < 0.05)
            except _Abort:
                self.rolled_back += 1
            except (psycopg.Error, StoreUnavailable):
                self._stop_requested.wait(0.2)  # Postgres is unavailable; the table shows whether it had committed

    def _write(self, key: UUID, *, abort: bool) -> None:
        with self._database.transaction() as connection:
            row = connection.execute(
                "UPDATE reservation_service.chaos_keys SET number = number + 1 WHERE key = %s RETURNING number", (key,)
            ).fetchone()
            assert row
            payload = ReservationConfirmed(
                reservation_id=ReservationId(key),
                event_id=EventId(UUID(int=row["number"])),
                seat_ids=[SeatId(uuid4())],
                confirmed_at=datetime.now(UTC),
            )
            Outbox().write(connection, payload, user_id=UserId(uuid4()))
            if abort:
                raise _Abort

    def stop(self) -> None:
        self._stop_requested.set()
        self.join(30)
        self._database.close()


class _Abort(Exception):
    pass


class ChaosRun:
    """Runs the services, and kills them one after another."""

    def __init__(self, folder: Path, *, three_brokers: bool, a_second: float = 100) -> None:
        self._folder = folder
        self._three = three_brokers
        self._a_second = a_second
        self.report = Report()

    def run(self, seconds: float, progress: Callable[[str], None] = lambda _: None) -> Report:
        """Inject faults one after another for `seconds`, then compare."""
        with self._all_services():
            self._until(lambda: self._effects() > 0, 60, "no message arrives")
            end = time.monotonic() + seconds
            faults = [self._kill_relay, self._kill_consumer, self._kill_postgres]
            if self._three:
                faults.append(self._kill_broker)
            while time.monotonic() < end:
                random.shuffle(faults)
                for fault in faults:
                    if time.monotonic() < end:
                        self._inject(fault, progress)
            for writer in self._writers:
                writer.stop()
            progress("waiting for all messages to be applied")
            self._until(
                lambda: self._effects() >= self._count("common.outbox_events"), 180, "not all messages are applied"
            )
            return self._compare()

    # -- services ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _all_services(self) -> Iterator[None]:
        with ExitStack() as stack:
            wanted: dict[str, dict[str, object]] = {"postgres": {"database": "chaos"}}
            if not self._three:
                wanted["kafka"] = {"topics": TOPICS}
            running = stack.enter_context(services.start(wanted, self._folder / "services"))
            self._postgres = running["postgres"]
            self._cluster = Cluster(self._folder, TOPICS) if self._three else None
            if self._cluster:
                stack.enter_context(self._cluster.running())
            self._servers = self._cluster.servers if self._cluster else running.kafka
            migrate(running.postgres)
            set_passwords(running.postgres, dict.fromkeys(LOGINS, PASSWORD))
            self._owner = Database(running.postgres)
            keys = [uuid4() for _ in range(KEYS)]
            with self._owner.transaction() as connection:
                connection.execute("CREATE TABLE reservation_service.chaos_keys (key uuid PRIMARY KEY, number bigint)")
                connection.execute(
                    "INSERT INTO reservation_service.chaos_keys SELECT key, 0 FROM unnest(%s::uuid[]) AS key", (keys,)
                )
                connection.execute(
                    "CREATE TABLE event_service.chaos_effects"
                    " (id bigint GENERATED ALWAYS AS IDENTITY, message_id uuid, key text, number bigint)"
                )
            self._postgres_url = running.postgres
            self._parts = [range(0, PARTITIONS, 2), range(1, PARTITIONS, 2)]
            self._relays = [self._new_relay() for _ in range(2)]
            self._consumers = [self._new_consumer(part) for part in self._parts]
            half = KEYS // 2
            self._writers = [
                Writer(self._login("reservation_service"), part, self._a_second / 2)
                for part in (keys[:half], keys[half:])
            ]
            stack.callback(self._end)
            for writer in self._writers:
                writer.start()
            yield

    def _login(self, user: str) -> str:
        return psycopg.conninfo.make_conninfo(self._postgres_url, user=user, password=PASSWORD)

    def _new_relay(self) -> RelayProcess:
        return RelayProcess(self._login("relay"), self._servers, shift=30)

    def _new_consumer(self, partitions: Sequence[int]) -> ConsumerProcess:
        return ConsumerProcess(self._login("event_service"), self._servers, partitions)

    def _end(self) -> None:
        for writer in self._writers:
            writer.stop()
        for relay in self._relays:
            relay.kill()
        for consumer in self._consumers:
            consumer.kill()
        self._owner.close()

    # -- faults ----------------------------------------------------------------------------------------------------

    def _inject(self, fault: Callable[[], str], progress: Callable[[str], None]) -> None:
        newest = self._newest()
        began = time.monotonic()
        name = fault()
        self._until(lambda: self._published(newest), 120, f"no message is published after {name} was killed")
        seconds = time.monotonic() - began
        self.report.recoveries.setdefault(name, []).append(seconds)
        progress(f"killed {name}: recovered, and all earlier messages published, after {seconds:.1f} s")
        time.sleep(random.uniform(0.5, 2))

    def _kill_relay(self) -> str:
        at = random.randrange(len(self._relays))
        self._relays[at].kill()
        self._relays[at] = self._new_relay()
        return "relay"

    def _kill_consumer(self) -> str:
        at = random.randrange(len(self._consumers))
        self._consumers[at].kill()
        self._consumers[at] = self._new_consumer(self._parts[at])
        return "consumer"

    def _kill_postgres(self) -> str:
        self._postgres.kill()
        self._until(self._postgres_starts, 120, "Postgres does not start again")
        return "Postgres"

    def _postgres_starts(self) -> bool:
        """False while sessions of the killed server still run and hold its shared memory."""
        self._postgres.spawn()
        try:
            self._postgres.wait_ready()
        except StackError:
            return False
        return True

    def _kill_broker(self) -> str:
        assert self._cluster
        broker = random.choice(self._cluster.brokers)
        broker.kill()
        before = self._newest()
        self._until(lambda: self._newest() > before, 30, "no message is written")
        after = self._newest()
        self._until(lambda: self._published(after), 120, "no message is published on the two remaining brokers")
        self._cluster.restart(broker)
        return "one broker of three"

    # -- checks ----------------------------------------------------------------------------------------------------

    def _until(self, condition: Callable[[], bool], seconds: float, error: str) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except (psycopg.Error, StoreUnavailable):
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(error)
            time.sleep(0.05)

    def _newest(self) -> int:
        row = self._owner.row("SELECT coalesce(max(id), 0) AS id FROM common.outbox_events")
        return int(row["id"]) if row else 0

    def _published(self, newest: int) -> bool:
        sql = "SELECT FROM common.outbox_events WHERE published_at IS NULL AND id <= %s LIMIT 1"
        return not self._owner.rows(sql, (newest,))

    def _count(self, table: str) -> int:
        row = self._owner.row(f"SELECT count(*) AS n FROM {table}")
        return int(row["n"]) if row else 0

    def _effects(self) -> int:
        return self._count("event_service.chaos_effects")

    def _records(self, topic: str) -> list[Any]:
        # A new reader, since an old one knows brokers that were killed.
        with Topic(self._servers, topic, whole=True) as reader:
            return reader.read()

    def _compare(self) -> Report:
        report = self.report
        committed = {
            row["message_id"]
            for row in self._owner.rows("SELECT message_id FROM common.outbox_events WHERE event_type <> 'DeadLetter'")
        }
        records, letters = (self._records(topic) for topic in TOPICS)
        seen: dict[UUID, None] = {}
        numbers: dict[bytes, list[int]] = {}
        for record in records:
            message = Envelope.model_validate_json(record.value)
            if message.event_id not in seen:
                seen[message.event_id] = None
                numbers.setdefault(record.key, []).append(UUID(message.payload["eventId"]).int)
        effects = self._owner.rows("SELECT message_id, key, number FROM event_service.chaos_effects ORDER BY id")
        applied = Counter(row["message_id"] for row in effects)
        effect_numbers: dict[str, list[int]] = {}
        for row in effects:
            effect_numbers.setdefault(row["key"], []).append(row["number"])
        report.committed = len(committed)
        report.rolled_back = sum(writer.rolled_back for writer in self._writers)
        report.records, report.distinct, report.effects = len(records), len(seen), len(effects)
        report.lost = len(committed - seen.keys())
        report.never_committed = len(seen.keys() - committed)
        report.keys_out_of_order = sum(not _counts_up(each) for each in numbers.values())
        report.not_applied = len(committed - applied.keys())
        report.applied_twice = sum(times > 1 for times in applied.values())
        report.effects_out_of_order = sum(not _counts_up(each) for each in effect_numbers.values())
        report.dead_letters = len(letters)
        return report


def _counts_up(numbers: Sequence[int]) -> bool:
    """True for 1, 2, 3 …: none missing, in order."""
    return list(numbers) == list(range(1, len(numbers) + 1))
