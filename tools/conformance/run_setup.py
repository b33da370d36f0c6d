"""What every run of the suite needs: a folder, Kafka, the call recorder, and starting and stopping processes."""

import ipaddress
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emulator import services
from tools.conformance.call_recorder import CallRecorder

PROJECT = Path(__file__).parent
ROOT = PROJECT.parents[1]
HOST = "127.0.0.1"
REGION = "us-east-1"
DOCKER = shutil.which("docker") or "docker"
KAFKA_VARIABLE = "EMULATOR_KAFKA_BOOTSTRAP"


class CannotStart(Exception):
    """The emulator does not come up here. The message is one line for the report."""


@dataclass(frozen=True)
class RunSetup:
    """What an emulator is started with."""

    folder: Path  # for the run's logs and data
    project: Path  # the folder of template.yaml
    bridge: str | None  # this machine's address as containers see it; None without Docker
    recorder: CallRecorder
    kafka: str | None = None  # bootstrap servers, where the template asks for them

    def parameters(self, host: str) -> dict[str, str]:
        """The template's, for functions that reach this machine at `host`."""
        if self.kafka is None:
            return {}
        return {"RecorderUrl": self.recorder.url(host), "KafkaBootstrapServers": self.kafka}


@contextmanager
def prepare(folder: Path) -> Iterator[RunSetup]:
    """Starts Kafka and the call recorder; stops them at the end."""
    bridge = find_bridge()
    topics = {"topics": {"conformance.events": 1}}
    with services.start({"kafka": topics}, folder / "services") as running:
        recorder = CallRecorder([HOST, *([bridge] if bridge else [])])
        os.environ[KAFKA_VARIABLE] = ",".join(running.kafka)  # where our emulator looks for an existing one
        try:
            yield RunSetup(folder, PROJECT, bridge, recorder, os.environ[KAFKA_VARIABLE])
        finally:
            del os.environ[KAFKA_VARIABLE]
            recorder.close()


class Server:
    """A process group that logs to a file."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def await_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Returns when `ready` says so. Raises CannotStart with the last line it wrote."""
        end = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None:
                raise CannotStart(f"ended with status {self._process.returncode}: {self.last_line()}")
            if time.monotonic() > end:
                raise CannotStart(f"not ready in {seconds:.0f} s: {self.last_line()}")
            time.sleep(0.1)

    def finish(self, seconds: float) -> None:
        """Waits for the end of a command. Raises CannotStart where it fails or takes longer."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise CannotStart(f"not done in {seconds:.0f} s: {self.last_line()}") from None
        if status:
            raise CannotStart(f"status {status}: {self.last_line()}")

    def text(self) -> str:
        """Everything it wrote."""
        return self._log.read_text(errors="replace")

    def last_line(self) -> str:
        """Of what it wrote."""
        return (self.text().strip().splitlines() or ["(it wrote nothing)"])[-1]

    def stop(self) -> None:
        """Gently, then not."""
        for number, patience in ((signal.SIGINT, 15), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            if self._process.poll() is not None:
                return
            os.killpg(self._process.pid, number)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue


def answers(url: str) -> bool:
    """Whether a server answers there, whatever it says."""
    try:
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310  http, on this machine
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def find_bridge() -> str | None:
    """Where containers on Docker's default network find this machine; None where no engine answers."""
    try:
        shown = subprocess.run([DOCKER, "network", "inspect", "bridge"], capture_output=True, check=True, timeout=10)
        config = json.loads(shown.stdout)[0]["IPAM"]["Config"][0]
        # Older engines tell the gateway only once a container has run; it is the first address.
        return str(config.get("Gateway") or next(ipaddress.ip_network(config["Subnet"], strict=False).hosts()))
    except (OSError, subprocess.SubprocessError, KeyError, IndexError):
        return None
