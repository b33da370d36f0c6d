"""A forked process is like a fresh one, and a fork server that fails only delays a call."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from emulator.stack import Stack
from emulator.template import load
from tests.emulator.live_emulator import LiveEmulator, has_ended, wait_for

FORKED = Path(__file__).parent / "forked"
Start = Callable[..., LiveEmulator]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FORKED, tmp_path / "project"))


@pytest.fixture
def start(project: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts emulators with one state folder: each preloads what those before it imported."""
    started: list[LiveEmulator] = []

    def begin(**settings: Any) -> LiveEmulator:
        started.append(LiveEmulator(read(project, tmp_path), tmp_path / "state", **settings))
        return started[-1]

    yield begin
    for emulator in started:
        emulator.close()


def read(project: Path, folder: Path) -> Stack:
    return load(project / "template.yaml", cache=folder)


def call(live: LiveEmulator, function: str, **event: Any) -> Any:
    result = live.invoke(function, json.dumps(event).encode())
    assert result.error is None, result.payload
    return json.loads(result.payload)


def end_environments(live: LiveEmulator, function: str) -> None:
    """The next call starts a process."""
    call(live, function, what="parent")
    kill_environment(live, function)


def wait_until_forked(live: LiveEmulator, function: str = "DescribeFunction") -> None:
    """A busy machine may start a process or two while a new server is still importing: those are fresh."""

    def forked() -> bool:
        if call(live, function, what="parent")["parent"] != os.getpid():
            return True
        end_environments(live, function)
        return False

    wait_for(forked, "a forked process")


def teach(start: Start, *functions: str) -> LiveEmulator:
    """An emulator whose fork server has preloaded what these functions load."""
    first = start()
    for function in functions:
        call(first, function, what="parent")
    first.close()
    return start()


def test_a_forked_process_looks_like_a_fresh_one(start: Start) -> None:
    fresh = call(start(fork=False), "PackagesFunction", what="process")
    live = teach(start, "PackagesFunction", "LateFunction", "RedFunction")
    wait_until_forked(live, "PackagesFunction")
    forked = call(live, "PackagesFunction", what="process")
    assert {name for name in fresh if fresh[name] != forked[name]} == set()


def test_a_process_of_a_first_start_is_forked_too_and_like_a_fresh_one(start: Start) -> None:
    fresh = call(start(fork=False), "PackagesFunction", what="process")
    live = start()
    assert {
        name for name, value in call(live, "PackagesFunction", what="process").items() if fresh[name] != value
    } == set()
    assert call(live, "PackagesFunction", what="parent")["parent"] != os.getpid()


def test_the_imports_of_a_first_process_are_preloaded_for_the_next(start: Start) -> None:
    live = start()
    first = call(live, "DescribeFunction", what="parent")
    assert first["loaded by"] == first["pid"]

    def next_has_it() -> bool:
        end_environments(live, "DescribeFunction")
        seen = call(live, "DescribeFunction", what="parent")
        return bool(seen["loaded by"] == seen["parent"])

    wait_for(next_has_it, "the server to have imported it")


def test_modules_that_are_named_are_imported_before_the_first_call(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that do not exist or cannot be preloaded are skipped. The others are hidden until they are imported."""
    live = start(preload=["no_such_module", "threaded", "shared", "late"])
    wait_for(lambda: "preload: no_such_module was not imported" in caplog.text, "a log record about the missing module")
    first = call(live, "DescribeFunction", what="late")
    assert first["before"] == []
    wait_until_forked(live)
    seen = call(live, "DescribeFunction", what="parent")
    assert seen["loaded by"] == seen["parent"] != os.getpid()


def test_processes_of_one_fork_server_have_different_random_numbers(start: Start) -> None:
    live = teach(start, "DescribeFunction")
    drawn = []
    for _ in range(3):
        drawn.append(call(live, "DescribeFunction", what="random"))
        end_environments(live, "DescribeFunction")
    for kind in drawn[0].keys() - {"seeded"}:
        assert len({one[kind] for one in drawn}) == 3, kind
    assert len({one["seeded"] for one in drawn}) == 1  # as in fresh processes


def test_a_module_of_another_function_is_hidden_until_it_is_imported(start: Start) -> None:
    live = teach(start, "DescribeFunction", "LateFunction")
    assert call(live, "DescribeFunction", what="late") == {
        "before": [],
        "after": ["late", "late_too"],
        "value": "late and late, too",
    }


def test_an_import_hook_comes_with_the_module_that_adds_it(start: Start) -> None:
    live = teach(start, "HookedFunction")
    seen = call(live, "HookedFunction")
    assert seen["parent"] != os.getpid()
    assert (seen["before"], seen["after"]) == (0, 1)


def test_a_module_that_read_the_environment_reads_it_again_for_each_function(start: Start) -> None:
    live = teach(start, "RedFunction", "BlueFunction")
    red, blue = call(live, "RedFunction"), call(live, "BlueFunction")
    assert (red["painted"], blue["painted"]) == ("painted red", "painted blue")
    assert red["parent"] == blue["parent"] != os.getpid()


def test_a_module_that_starts_a_thread_or_opens_a_descriptor_is_not_preloaded(start: Start, tmp_path: Path) -> None:
    live = teach(start, "UnpreloadableFunction")

    def learned() -> Any:
        return json.loads(next((tmp_path / "state" / "preload").glob("*.json")).read_text())["rejected"]

    answer = call(live, "UnpreloadableFunction")
    while set(learned()) != {"threaded", "opened"}:  # each of them makes a server unusable
        kill_environment(live, "UnpreloadableFunction")
        answer = call(live, "UnpreloadableFunction")
    assert learned() == {"threaded": "threads", "opened": "descriptors"}
    kill_environment(live, "UnpreloadableFunction")
    answer = call(live, "UnpreloadableFunction")
    assert answer["alive"]
    assert answer["parent"] != os.getpid()


def test_a_first_process_that_fails_does_not_delay_the_others(start: Start) -> None:
    live = start()
    assert live.invoke("BrokenFunction", b"{}").error
    began = time.monotonic()
    call(live, "DescribeFunction", what="parent")
    assert time.monotonic() - began < 7  # less than the server's first modules are waited for


def test_a_function_that_cannot_be_forked_does_not_end_the_others(start: Start, project: Path) -> None:
    live = start()
    before = call(live, "DescribeFunction", what="parent")
    shutil.rmtree(project / "moved")
    assert live.invoke("MovedFunction", b"{}").error
    assert call(live, "DescribeFunction", what="parent") == before


def test_a_running_call_is_not_affected_by_a_module_that_makes_its_server_unusable(start: Start) -> None:
    live = start()
    call(live, "DescribeFunction", what="parent")
    slow = live.begin(live.runtime.invoke("DescribeFunction", b'{"what": "sleep"}'))
    call(live, "UnpreloadableFunction")
    assert slow.result(20).error is None


def kill_environment(live: LiveEmulator, function: str) -> None:
    """Returns when the emulator has noticed it: a process with threads is a zombie shortly before it has ended."""
    os.kill(pid_of(live, function), signal.SIGKILL)
    wait_for(lambda: live.runtime.stats()[function].environments == 0, "the environment to end")


def pid_of(live: LiveEmulator, function: str) -> int:
    (environment,) = live.runtime._pools[function].environments
    assert environment.pid is not None
    return environment.pid


def test_a_functions_own_module_takes_precedence_over_a_package(start: Start, project: Path) -> None:
    teach(start, "DescribeFunction").close()
    (project / "code" / "shared.py").write_text("import random\nNAME = 'own'\nGENERATOR = SEEDED = random.Random(1)\n")
    seen = call(start(), "DescribeFunction", what="process")
    assert seen["layer"] == "own"


def test_variables_that_an_interpreter_reads_at_its_start_need_a_fresh_process(start: Start) -> None:
    live = teach(start, "DescribeFunction", "HashFunction")
    assert call(live, "HashFunction", what="parent")["parent"] == os.getpid()


def test_a_layer_that_changed_is_loaded_again(start: Start, project: Path) -> None:
    live = teach(start, "DescribeFunction")
    assert call(live, "DescribeFunction", what="process")["layer"] == "the layer"
    shared = project / "layer" / "shared.py"
    shared.write_text(shared.read_text().replace("the layer", "the new layer"))
    wait_for(lambda: call(live, "DescribeFunction", what="process")["layer"] == "the new layer", "the new layer")
    wait_until_forked(live)


def test_calls_continue_when_the_server_is_killed(start: Start) -> None:
    live = teach(start, "DescribeFunction")
    before = call(live, "DescribeFunction", what="parent")
    os.kill(before["parent"], signal.SIGKILL)
    wait_for(lambda: has_ended(before["pid"]), "its child to end with it")
    assert call(live, "DescribeFunction", what="parent")["parent"] != before["parent"]
    wait_until_forked(live)


def test_a_server_that_does_not_answer_delays_a_call_by_a_second(start: Start) -> None:
    live = teach(start, "DescribeFunction")
    before = call(live, "DescribeFunction", what="parent")
    os.kill(before["parent"], signal.SIGSTOP)
    os.kill(before["pid"], signal.SIGKILL)
    wait_for(lambda: has_ended(before["pid"]), "the process to end")
    began = time.monotonic()
    after = call(live, "DescribeFunction", what="parent")
    assert after["parent"] == os.getpid()
    assert time.monotonic() - began >= 1  # it was waited for
    os.kill(before["parent"], signal.SIGCONT)
    wait_for(lambda: children_of(before["parent"]) == [], "the process that came too late to end")


def children_of(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children() if child.status() != psutil.STATUS_ZOMBIE]


def test_memory_counts_what_the_function_loaded_and_not_what_others_did(start: Start) -> None:
    live = teach(start, "PackagesFunction", "LateFunction")
    call(live, "LateFunction")
    (environment,) = live.runtime._pools["LateFunction"].environments
    assert environment.memory_unused > 1024 * 1024  # psycopg and redis, which it shares and does not use
    assert environment.peak_memory < psutil.Process(environment.pid).memory_info().rss / 1024**2
    result = live.invoke("DescribeFunction", b'{"what": "allocate"}')
    assert "signal: killed" in json.loads(result.payload)["errorMessage"]
    assert any("out of memory" in line for _, _, line in live.lines)


def test_no_process_is_forked_if_forking_is_off_or_events_are_sent_over_http(start: Start) -> None:
    for settings in ({"fork": False}, {"http": True}):
        assert call(start(**settings), "DescribeFunction", what="parent")["parent"] == os.getpid()


def test_closing_leaves_neither_server_nor_children(start: Start) -> None:
    live = teach(start, "DescribeFunction")
    seen = call(live, "DescribeFunction", what="parent")
    live.close()
    wait_for(lambda: has_ended(seen["pid"]) and has_ended(seen["parent"]), "both to end")
