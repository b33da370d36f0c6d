"""The relay's loop in a process that can be killed: `… relay_process CONNINFO SERVERS SHIFT`."""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM, signal

import psutil
import psycopg

from emulator.processes import exit_with_parent
from functions.outbox_relay.adapters.kafka_publisher import KafkaPublisher
from functions.outbox_relay.adapters.outbox_repository import OutboxRepository
from functions.outbox_relay.usecases.relay import Relay
from functions.outbox_relay.usecases.relay_loop import run

ROOT = Path(__file__).parents[2]
PYTHONPATH = os.pathsep.join([str(ROOT), str(ROOT / "layers/common/python")])


class RelayProcess:
    """Publishes for `shift` seconds, then stands by."""

    def __init__(self, conninfo: str, servers: Sequence[str], *, shift: float = 63) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools.simulation.relay_process", conninfo, ",".join(servers), str(shift)],
            env={**os.environ, "PYTHONPATH": PYTHONPATH, "POWERTOOLS_LOG_LEVEL": "CRITICAL"},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=exit_with_parent(SIGTERM),
        )

    @property
    def megabytes(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6

    @property
    def threads(self) -> int:
        return psutil.Process(self.process.pid).num_threads()

    def end(self) -> None:
        """End it as Lambda does at a run's end: it finishes the current pass."""
        self.process.send_signal(SIGTERM)
        self.process.wait(30)

    def kill(self) -> None:
        """Kill it as a crash of the machine would."""
        self.process.send_signal(SIGKILL)
        self.process.wait(10)


def relay_login(postgres_url: str, password: str) -> str:
    return psycopg.conninfo.make_conninfo(postgres_url, user="relay", password=password)


def main() -> None:
    from common.stores.postgres import Database

    conninfo, servers, shift = sys.argv[1:]
    relay = Relay(
        OutboxRepository(Database(conninfo)), KafkaPublisher({"bootstrap_servers": servers.split(",")}), batch=1000
    )
    over = threading.Event()
    signal(SIGTERM, lambda *_: over.set())
    run(relay, lambda: not over.is_set(), shift_seconds=float(shift))


if __name__ == "__main__":
    main()
