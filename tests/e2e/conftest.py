"""A whole stack, called over HTTP only: our own on free ports, or the one whose stack.json E2E_STACK names."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from emulator.state import State
from tests.e2e.log_search import SecretRecorder
from tests.support.worker_groups import OPEN_STACK, STACKS, group_of
from tools.demo.buyer import Api, Buyer, log_in
from tools.throwaway_stack import free_port, throwaway_stack

ROOT = Path(__file__).parents[2]
LOGS = pytest.StashKey[list[Path]]()  # of the stacks this run started
ERROR_LINE = re.compile("ERROR|CRITICAL|Task timed out|Runtime exited|throttle", re.IGNORECASE)


def _emulator(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emulator", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout[-3000:]}{done.stderr[-2000:]}"


@pytest.hookimpl(trylast=True)  # after the tests were shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of stacks run last, the longer of the two first, so that no stack is idle while other tests run."""

    def rank(item: pytest.Item) -> tuple[int, bool]:
        group = group_of(item.nodeid)
        needed = getattr(item, "fixturenames", ())
        if "open_stack" in needed and group != OPEN_STACK:
            raise pytest.UsageError(f"{item.nodeid} needs open_stack: name its file in tests/support/worker_groups.py")
        stack = STACKS.index(group) if group in STACKS else -1
        return stack, item.get_closest_marker("last_of_all") is not None

    items.sort(key=rank)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the last errors in the stacks' logs to a failure: the stacks no longer exist when it is read."""
    report = yield
    if report.failed:
        for log in item.session.stash.get(LOGS, ()):
            if not log.exists():
                continue
            errors = [line for line in log.read_text(encoding="utf-8").splitlines() if ERROR_LINE.search(line)]
            report.sections.append((f"last errors in {log}", "\n".join(line[:2000] for line in errors[-10:])))
    return report


@pytest.fixture(scope="session")
def secret_recorder() -> Iterator[SecretRecorder]:
    """Every secret that the tests and the stack have sent each other so far."""
    with SecretRecorder().recording() as recorder:
        yield recorder


@pytest.fixture(scope="session")
def state_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the stack that runs keeps its URLs, secrets and logs."""
    named = os.environ.get("E2E_STACK")
    if named:
        yield Path(named).parent
        return
    state = tmp_path_factory.mktemp("stack")
    folder = ["--state", str(state)]
    ports = ["--port", str(free_port()), "--process-port", f"sandbox={free_port()}"]
    try:
        _emulator("up", *folder, *ports, "--parameter-overrides", "BcryptCost=4")  # bcrypt's least
        request.session.stash.setdefault(LOGS, []).append(State(state).function_log)
        yield state
    finally:
        _emulator("down", *folder)


@pytest.fixture(scope="session")
def stack(state_folder: Path, secret_recorder: SecretRecorder) -> dict[str, Any]:
    """The URLs of everything that runs."""
    urls: dict[str, Any] = json.loads((state_folder / "stack.json").read_text(encoding="utf-8"))
    secret_recorder.hosts.update(urlsplit(urls[name]).netloc for name in ("api", "sandbox"))
    return urls


@pytest.fixture(scope="session")
def open_stack(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """A stack to attack, without rate limits and not shared with other tests. Also names its `state` folder."""
    if os.environ.get("E2E_STACK"):
        pytest.skip("only a stack of our own is attacked, not the one E2E_STACK names")
    with throwaway_stack(RateLimits="off", BcryptCost="4") as running:
        request.session.stash.setdefault(LOGS, []).append(State(Path(running["state"])).function_log)
        yield running


@pytest.fixture
def public(stack: dict[str, Any]) -> Api:
    return Api(stack["api"])


@pytest.fixture(scope="session")
def admin(stack: dict[str, Any]) -> Api:
    return log_in(stack["api"], "admin@example.com", "local-admin-1234")


@pytest.fixture(scope="session")
def new_buyer(stack: dict[str, Any]) -> Callable[[], Buyer]:
    """Each call returns a registered and logged-in buyer."""

    def make() -> Buyer:
        buyer = Buyer(stack["api"], stack["sandbox"])
        buyer.register()
        buyer.login()
        return buyer

    return make
