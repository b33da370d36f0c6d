"""Emulators for the tests of this folder."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

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
    """One emulator for the tests of a module that leave it as they found it."""
    emulator = LiveEmulator(stack, state)
    yield emulator
    emulator.close()


@pytest.fixture
def emulate(stack: Stack, state: Path) -> Iterator[Callable[..., LiveEmulator]]:
    """Emulators of a test's own, with settings of its own; of another stack where it gives one."""
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
