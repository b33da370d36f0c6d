"""Apache Kafka, as one KRaft node; Maven downloads its jars once."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from signal import SIGTERM

from emulator.ports import HOST, free_port
from emulator.processes import exit_with_parent
from emulator.services.kafka import Kafka
from emulator.stack import StackError

VERSION = "4.1.1"

_POM = f"""\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


class ApacheKafka(Kafka):
    """Larger than Tansu and slower to start (about 4 s), but real Kafka, and its data survives restarts."""

    slow_to_prepare = True

    def prepare(self, report: Callable[[str], None]) -> None:
        for tool in ("java", "mvn"):
            if not shutil.which(tool):
                raise StackError(f"Apache Kafka needs Java 17 and Maven, and {tool} was not found")
        if not _jars().exists():
            report(f"fetching Apache Kafka {VERSION} (about 45 MB, once)")
            _fetch()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in self._settings().items()))
        if not (self.folder / "data" / "meta.properties").exists():
            cluster = ("format", "--cluster-id", "bG9jYWwtZW11bGF0b3ItMQ", "--config", str(self._properties))
            _run([*_java(), "kafka.tools.StorageTool", *cluster])

    def command(self) -> Sequence[str]:
        return [*_java(), "kafka.Kafka", str(self._properties)]

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _settings(self) -> Mapping[str, object]:
        controller = free_port(exclude=frozenset({self.port}))
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.options.get('advertised', HOST)}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": (self.folder / "data").resolve(),
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false",
        }


def _jars() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "emulator" / f"kafka-{VERSION}"


def _fetch() -> None:
    """Into a folder of this process: others may fetch at the same time, and the first one's jars stay."""
    _jars().parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="kafka-", dir=_jars().parent))
    try:
        (draft / "pom.xml").write_text(_POM)
        copy = ["dependency:copy-dependencies", "-DoutputDirectory=."]
        _run(["mvn", "--batch-mode", "--quiet", "--file", str(draft), *copy])
        draft.rename(_jars())
    except OSError:
        if not _jars().exists():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _java() -> list[str]:
    # Small and quick to start: these servers do not run long enough to need the optimizing compiler.
    return ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", f"{_jars()}/*"]


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=exit_with_parent(SIGTERM), check=False)
    if done.returncode:
        raise StackError(f"Apache Kafka: {command[0]} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
