"""Emulators for the tests of this folder."""

import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from emulator import services
from emulator.services import Running
from emulator.stack import Stack
from emulator.template import load
from tests.emulator.live_emulator import LiveEmulator

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by all tests here, so that bytecode is compiled once."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def stack(state: Path) -> Stack:
    """The stack of the template beside this file."""
    return load(HERE / "template.yaml", cache=state)


@pytest.fixture(scope="module")
def live(stack: Stack, state: Path) -> Iterator[LiveEmulator]:
    """One emulator for the tests of a module that do not change its state."""
    emulator = LiveEmulator(stack, state)
    yield emulator
    emulator.close()


@pytest.fixture
def emulate(stack: Stack, state: Path) -> Iterator[Callable[..., LiveEmulator]]:
    """Starts emulators for one test, with its settings, and with another stack if it passes one."""
    started: list[LiveEmulator] = []

    def start(other: Stack | None = None, **settings: Any) -> LiveEmulator:
        started.append(LiveEmulator(other or stack, state, **settings))
        return started[-1]

    yield start
    for emulator in started:
        emulator.close()


@pytest.fixture
def template(tmp_path: Path, state: Path) -> Callable[..., Stack]:
    """Loads a template given as text, with a function module `app.py` beside it."""
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return event\n")

    def read(text: str, parameters: Mapping[str, str] | None = None) -> Stack:
        path = tmp_path / "template.yaml"
        path.write_text("Transform: AWS::Serverless-2016-10-31\n" + text)
        return load(path, parameters, cache=state)

    return read


APACHE = pytest.param(
    "apache",
    marks=pytest.mark.skipif(not (shutil.which("mvn") and shutil.which("java")), reason="needs Java and Maven"),
)


@pytest.fixture(scope="session", params=["tansu", APACHE])
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Each broker; every test uses its own topics."""
    wanted = {"kafka": {"broker": request.param}}
    with services.start(wanted, tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture
def topic(broker: Running) -> str:
    """A new topic with two partitions."""
    name = f"orders-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=broker.kafka)
    try:
        admin.create_topics([NewTopic(name, 2, 1)])
        admin.wait_for_topics([name])
    finally:
        admin.close()
    return name


@pytest.fixture
def producer(broker: Running) -> Iterator[KafkaProducer]:
    client = KafkaProducer(bootstrap_servers=broker.kafka)
    yield client
    client.close()


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of this session's moto server."""
    with services.start({"aws": {}}, tmp_path_factory.mktemp("aws")) as running:
        yield running.aws
