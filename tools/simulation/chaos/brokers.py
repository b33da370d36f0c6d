"""Three Apache Kafka brokers. Any one of them can be killed without losing a message."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from emulator.ports import HOST, free_port
from emulator.processes import ProcessRegistry
from emulator.services.apache_kafka import ApacheKafka

NODES = (1, 2, 3)


class Broker(ApacheKafka):
    """One node of the three, broker and controller at once."""

    def __init__(self, node: int, ports: Mapping[int, int], controllers: Mapping[int, int], folder: Path) -> None:
        self.node = node
        self._controllers = controllers
        name = f"broker-{node}"
        super().__init__(
            {}, folder / name, ports[node], folder / f"{name}.log", ProcessRegistry(folder / f"{name}.json")
        )

    def _settings(self) -> Mapping[str, object]:
        controller = f"CONTROLLER://{HOST}:{self._controllers[self.node]}"
        return {
            **super()._settings(),
            "node.id": self.node,
            "controller.quorum.voters": ",".join(f"{node}@{HOST}:{port}" for node, port in self._controllers.items()),
            "listeners": f"PLAINTEXT://{HOST}:{self.port},{controller}",
            "offsets.topic.replication.factor": 3,
            "min.insync.replicas": 2,
            "broker.session.timeout.ms": 3_000,  # time until a crashed leader is replaced; 9 s by default
            "broker.heartbeat.interval.ms": 500,
            "unclean.leader.election.enable": "false",
        }


class Cluster:
    def __init__(self, folder: Path, topics: Mapping[str, int]) -> None:
        """Topics: name -> number of partitions, each on all three brokers."""
        taken: list[int] = []
        for _ in range(2 * len(NODES)):
            taken.append(free_port(exclude=frozenset(taken)))
        ports = dict(zip(NODES, taken[:3], strict=True))
        controllers = dict(zip(NODES, taken[3:], strict=True))
        self.brokers = [Broker(node, ports, controllers, folder) for node in NODES]
        self._topics = topics

    @property
    def servers(self) -> list[str]:
        return [broker.url for broker in self.brokers]

    @contextmanager
    def running(self) -> Iterator["Cluster"]:
        try:
            for broker in self.brokers:
                broker.prepare(lambda _: None)
                broker.spawn()
            for broker in self.brokers:
                broker.wait_ready(300)
            admin = KafkaAdminClient(bootstrap_servers=self.servers)
            admin.create_topics([NewTopic(name, count, len(NODES)) for name, count in self._topics.items()])
            admin.close()
            self.wait_until_in_sync()
            yield self
        finally:
            for broker in self.brokers:
                if broker.child:
                    broker.child.kill()

    def restart(self, broker: Broker) -> None:
        broker.spawn()
        broker.wait_ready(300)
        self.wait_until_in_sync()

    def wait_until_in_sync(self, seconds: float = 300) -> None:
        """Wait until every partition is in sync on all three: only then may another broker be killed."""
        deadline = time.monotonic() + seconds
        while not self._in_sync():
            if time.monotonic() > deadline:
                raise TimeoutError("the brokers did not get in sync")
            time.sleep(0.5)

    def _in_sync(self) -> bool:
        admin = KafkaAdminClient(bootstrap_servers=self.servers)
        try:
            described = admin.describe_topics(list(self._topics))
        finally:
            admin.close()
        partitions = [each for topic in described for each in topic["partitions"]]
        return len(partitions) == sum(self._topics.values()) and all(
            len(each["isr_nodes" if "isr_nodes" in each else "isr"]) == len(NODES) for each in partitions
        )
