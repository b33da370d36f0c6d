"""The command line as a user runs it, on a small project."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from emulator import lifecycle
from emulator.options import Options
from emulator.ports import free_port
from emulator.progress import Step, silent
from emulator.stack import StackError
from emulator.state import State
from tests.support.child_process import Child

_TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  RedisUrl: {Type: String}
  Greeting: {Type: String, Default: hello}
Resources:
  Api: {Type: AWS::Serverless::Api, Properties: {StageName: v1}}
  Greet:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code/
      Handler: greet.handler
      Runtime: python3.13
      Timeout: 20
      Environment: {Variables: {REDIS: !Ref RedisUrl, GREETING: !Ref Greeting}}
      Events:
        Get: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /greet, Method: get}}
"""

_CODE = """
import json, os, time

def handler(event, context):
    time.sleep((event or {}).get("seconds", 0))
    print(json.dumps({"level": "INFO", "message": "greeting", "correlation_id": (event or {}).get("trace", "none")}))
    if (event or {}).get("fail"):
        raise ValueError("on request")
    body = {name: os.environ[name] for name in ("GREETING", "REDIS", "NEIGHBOUR")}
    return {"statusCode": 200, "body": json.dumps(body)}
"""

_CONFIG = """
[services]
redis = {}

[parameters]
RedisUrl = "${redis.url}"

[environment]
NEIGHBOUR = "${neighbour.url}"

[[steps]]
name = "prepare"
command = ["python", "-c", "import os; print('prepared', os.environ['WHERE'])"]
environment = { WHERE = "${redis.url}" }

[[processes]]
name = "neighbour"
command = ["python", "-m", "http.server", "--bind", "127.0.0.1", "${port}"]
port = 3001
ready = "/"

[next]
text = "Try curl ${api.url}/greet"
"""


class Project:
    """A folder with a template, and the command line run on it."""

    def __init__(self, folder: Path, bytecode: Path) -> None:
        self.folder = folder
        self.bytecode = bytecode  # shared: compiling everything for each test would take most of its time
        self.mark = uuid.uuid4().hex  # in the environment of every process that runs for it, with all descendants
        self.port = free_port()
        self.neighbour = free_port(exclude=frozenset({self.port}))
        (folder / "code").mkdir(parents=True)
        (folder / "code" / "greet.py").write_text(_CODE)
        (folder / "template.yaml").write_text(_TEMPLATE)
        self.configure(_CONFIG)

    @property
    def state(self) -> State:
        return State(self.folder / ".local")

    @property
    def options(self) -> Options:
        """Those of `up_words`."""
        ports = {"neighbour": self.neighbour}
        return Options(self.folder, self.state.folder, port=self.port, process_ports=ports)

    def configure(self, text: str) -> None:
        (self.folder / "emulator.toml").write_text(text)

    def start(self, *words: str, state: bool = True, **options: Any) -> Child:
        command = [sys.executable, "-m", "emulator", *words]
        command += ["--state", str(self.state.folder)] if state else []
        environment = {**os.environ, "EMULATOR_TEST": self.mark, "PYTHONPYCACHEPREFIX": str(self.bytecode)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        return Child(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        with self.start(*words) as process:
            out, error = process.communicate(timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, error)

    def up_words(self, *more: str) -> list[str]:
        ports = ("--port", str(self.port), "--process-port", f"neighbour={self.neighbour}")
        return ["up", "--project", str(self.folder), *ports, *more]

    def up(self, *more: str) -> "subprocess.CompletedProcess[str]":
        return self.run(*self.up_words(*more))

    def get(self, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def left(self) -> list[int]:
        """Every process that runs for this project."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("EMULATOR_TEST") == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found


@pytest.fixture(scope="module")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bytecode")


@pytest.fixture
def project(tmp_path: Path, bytecode: Path) -> Iterator[Project]:
    made = Project(tmp_path / "project", bytecode)
    yield made
    made.run("down")
    assert made.left() == []


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, bytecode: Path) -> Iterator[Project]:
    """A running project, for tests that do not stop it."""
    made = Project(tmp_path_factory.mktemp("running") / "project", bytecode)
    done = made.up("--parameter-overrides", 'Greeting="hi there"')
    assert done.returncode == 0, done.stderr
    yield made
    assert made.run("down").stdout == "stopped\n"
    assert made.left() == []
    assert not (made.state.folder / "stack.json").exists()
    assert made.run("down").stdout == "nothing was running\n"


def test_up_starts_services_steps_processes_and_the_api(running: Project) -> None:
    urls = running.state.urls()
    assert urls
    assert urls["api"] == f"http://127.0.0.1:{running.port}"
    assert urls["neighbour"] == f"http://127.0.0.1:{running.neighbour}"
    assert running.get("/greet") == {"GREETING": "hi there", "REDIS": urls["redis"], "NEIGHBOUR": urls["neighbour"]}
    assert (running.state.logs / "prepare.log").read_text() == f"prepared {urls['redis']}\n"


def test_a_second_up_says_that_it_is_already_running(running: Project) -> None:
    again = running.up()

    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == f"already running at http://127.0.0.1:{running.port} (`status` shows it, `down` stops it)\n"


def test_status_shows_services_processes_and_functions(running: Project) -> None:
    running.get("/greet")

    shown = running.run("status").stdout
    status = json.loads(running.run("status", "--json").stdout)

    assert "redis" in shown
    assert "Greet" in shown
    assert [(unit["name"], unit["kind"], unit["running"]) for unit in status["units"]] == [
        ("redis", "service", True),
        ("neighbour", "process", True),
    ]
    assert status["functions"]["Greet"]["invocations"] >= 1


def test_invoke_prints_the_answer_and_logs_shows_the_lines_of_one_trace(running: Project, tmp_path: Path) -> None:
    trace = uuid.uuid4().hex
    (tmp_path / "event.json").write_text(json.dumps({"trace": trace}))

    answer = running.run("invoke", "Greet", "-e", str(tmp_path / "event.json"))
    other = running.run("invoke", "Greet")

    assert json.loads(answer.stdout)["statusCode"] == 200
    assert other.returncode == 0
    wait_until(lambda: trace in running.run("logs", "--trace", trace).stdout)
    (line,) = running.run("logs", "--trace", trace, "--function", "Greet").stdout.splitlines()
    assert line.endswith(f"INFO     Greet greeting correlation_id={trace}")


def test_a_misspelt_function_is_an_error_that_names_similar_ones(running: Project) -> None:
    for command in (("logs", "--function", "Gret"), ("invoke", "Gret")):
        done = running.run(*command)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "error: there is no function Gret; did you mean Greet?\n"
    unlike = running.run("logs", "--function", "Zzz")
    assert unlike.stderr == "error: there is no function Zzz; `status` lists the functions\n"


def test_invoke_says_that_it_waits_for_a_slow_function(running: Project, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text('{"seconds": 2.5}')

    done = running.run("invoke", "Greet", "-e", str(tmp_path / "event.json"))

    assert json.loads(done.stdout)["statusCode"] == 200
    assert done.stderr == "Greet still runs; `logs -f` shows what it logs\n"
    assert running.run("invoke", "Greet").stderr == ""


def test_invoke_fails_when_the_function_fails_or_does_not_exist(running: Project, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text('{"fail": true}')

    failed = running.run("invoke", "Greet", "-e", str(tmp_path / "event.json"))
    unknown = running.run("invoke", "Missing")

    assert failed.returncode == 1
    assert json.loads(failed.stdout)["errorMessage"] == "on request"
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("error: there is no function Missing")
    missing = running.run("invoke", "Greet", "-e", str(tmp_path / "evnt.json"))
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
    assert missing.stderr.startswith(f"error: {tmp_path / 'evnt.json'}: there is no such file")


def test_a_process_or_service_that_crashes_is_started_again(running: Project) -> None:
    def unit(name: str) -> dict[str, Any]:
        status = json.loads(running.run("status", "--json").stdout)
        return next(unit for unit in status["units"] if unit["name"] == name)

    for name in ("neighbour", "redis"):
        before = unit(name)
        os.kill(before["pid"], signal.SIGKILL)
        wait_until(lambda name=name, before=before: unit(name)["pid"] != before["pid"] and unit(name)["running"])  # type: ignore[misc]
        assert unit(name)["restarts"] == before["restarts"] + 1


@pytest.mark.parametrize("which", ["port", "neighbour"])
def test_a_port_in_use_is_reported_and_nothing_is_left_running(project: Project, which: str) -> None:
    port: int = getattr(project, which)
    with socket.create_server(("127.0.0.1", port)):
        done = project.up()

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: port {port} of ")
    assert f"(pid {os.getpid()})" in line
    assert project.left() == []


def test_a_failing_step_stops_up_with_its_last_lines(project: Project) -> None:
    project.configure(_CONFIG.replace("print('prepared', os.environ['WHERE'])", "raise SystemExit('no such table')"))

    done = project.up()

    assert done.returncode == 1
    assert "prepare failed with 1" in done.stderr
    assert "no such table" in done.stderr
    assert project.left() == []


def test_a_python_module_as_a_step_imports_while_services_start_and_runs_when_they_answer(project: Project) -> None:
    (project.folder / "fill.py").write_text(
        "import sys, time\nprint('imported as', __name__)\n"
        "if __name__ == '__main__':\n    print('ran with', *sys.argv[1:])\n    sys.exit(int(sys.argv[2]))\n"
    )
    (project.folder / "filling").mkdir()
    (project.folder / "filling" / "__main__.py").write_text(
        "import fill, runpy\nrunpy.run_module('fill', run_name=__name__)\n"
    )
    step = 'command = ["python", "-m", "filling", "${redis.url}", "7"]'
    project.configure(_CONFIG.replace(_CONFIG[_CONFIG.index("command") : _CONFIG.index("\nenvironment")], step))

    done = project.up()

    assert done.returncode == 1
    assert "prepare failed with 7" in done.stderr
    assert "imported as fill" in done.stderr
    assert "ran with redis://" in done.stderr
    assert project.left() == []


def test_a_debugger_for_a_function_that_does_not_exist_is_rejected(project: Project) -> None:
    done = project.up("--debug", "Missing:5678")

    assert (done.returncode, done.stderr.splitlines()[0]) == (
        *(1, "error: --debug Missing: the template has no such function"),
    )
    assert project.left() == []


def test_the_progress_of_an_earlier_daemon_with_the_same_pid_is_ignored(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container every start gives the same pids."""
    spawn = lifecycle._spawn

    def spawn_where_one_failed(options: Options, state: State, attached: bool) -> "subprocess.Popen[bytes]":
        daemon = spawn(options, state, attached)
        state.progress(daemon.pid).write(Step("", "failed", "long ago"))
        return daemon

    monkeypatch.setattr(lifecycle, "_spawn", spawn_where_one_failed)
    monkeypatch.setenv("EMULATOR_TEST", project.mark)
    assert lifecycle.up(project.options, silent)["api"] == f"http://127.0.0.1:{project.port}"


def test_an_error_in_the_template_stops_up(project: Project) -> None:
    done = project.up("--parameter-overrides", "NoSuchParameter=1")

    assert done.returncode == 1
    assert "NoSuchParameter" in done.stderr
    assert project.left() == []


def test_after_a_kill_of_the_emulator_the_next_up_starts_again(project: Project) -> None:
    assert project.up().returncode == 0
    project.get("/greet")  # so that there is an environment too
    pid = project.state.holder()
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: project.state.holder() is None)
    if sys.platform == "linux":
        wait_until(lambda: project.left() == [])

    again = project.up()

    assert again.returncode == 0, again.stderr
    assert project.get("/greet")["GREETING"] == "hello"


def as_started_at_a_terminal() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def as_started_in_the_background() -> None:
    """As `trap "" INT TERM; emulator up &` in a script, with the signals blocked as well."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})


IN_THE_BACKGROUND = [
    (as_started_in_the_background, signal.SIGINT, 130),
    (as_started_in_the_background, signal.SIGTERM, 143),
]


@pytest.mark.parametrize(
    ("started", "ended", "code"), [(as_started_at_a_terminal, signal.SIGINT, 130), *IN_THE_BACKGROUND]
)
def test_ctrl_c_or_sigterm_during_up_leaves_nothing_running(
    project: Project, started: Callable[[], None], ended: signal.Signals, code: int
) -> None:
    project.configure(_CONFIG.replace("print('prepared'", "import time; time.sleep(600); print('prepared'"))
    with project.start(*project.up_words(), start_new_session=True, preexec_fn=started) as process:
        wait_until(lambda: (project.state.logs / "prepare.log").exists())
        os.killpg(process.pid, ended)
        process.communicate(timeout=30)

    assert process.returncode == code
    assert project.left() == []


@pytest.mark.parametrize(("started", "ended", "code"), IN_THE_BACKGROUND)
def test_foreground_shows_the_functions_logs_and_stops_on_ctrl_c_or_sigterm(
    project: Project, started: Callable[[], None], ended: signal.Signals, code: int
) -> None:
    words = project.up_words("--foreground")
    with project.start(*words, start_new_session=True, preexec_fn=started) as process:
        wait_until(lambda: project.state.urls() is not None)
        project.get("/greet")
        process.line("greeting")
        os.killpg(process.pid, ended)
        process.communicate(timeout=30)

    assert process.returncode == code
    assert project.left() == []


def test_the_daemon_stops_in_order_on_sigint(project: Project) -> None:
    with project.start(*project.up_words(), preexec_fn=as_started_in_the_background) as process:
        process.communicate(timeout=60)
    pid = project.state.holder()
    assert pid

    os.kill(pid, signal.SIGINT)
    wait_until(lambda: project.state.holder() is None)

    wait_until(lambda: project.left() == [])
    assert not (project.state.folder / "stack.json").exists()
    assert [registry.read() for registry in project.state.registries()] == [
        {},
        {},
    ]  # each child was stopped and removed


@pytest.mark.parametrize("ended", [signal.SIGINT, signal.SIGTERM])
def test_triggers_stop_on_ctrl_c_or_sigterm(project: Project, ended: signal.Signals) -> None:
    words = ("triggers", "--lambda-url", "http://127.0.0.1:1", "--project", str(project.folder))
    with project.start(*words, state=False, preexec_fn=as_started_in_the_background) as process:
        process.line("stop with Ctrl-C")
        process.send_signal(ended)
        _, error = process.communicate(timeout=30)

    assert (process.returncode, error) == (0, "")


def test_reset_deletes_all_data_but_only_in_the_emulators_own_folder(project: Project, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    assert project.up().returncode == 0

    assert project.run("reset").returncode == 0
    subprocess.run([sys.executable, "-m", "emulator", "reset", "--state", str(precious)], check=True, timeout=60)

    assert not project.state.folder.exists()
    assert precious.exists()
    assert project.left() == []


def test_a_template_changed_since_the_start_is_reported(running: Project) -> None:
    template = running.folder / "template.yaml"
    written = template.stat().st_mtime
    os.utime(template, (written + 3600, written + 3600))
    try:
        assert "changed since the start" in running.up().stdout
        assert "changed since the start" in running.run("status").stdout
    finally:
        os.utime(template, (written, written))
    assert "changed since the start" not in running.run("status").stdout


@pytest.mark.parametrize("words", [["--port", "99999"], ["--debug", "Greet:99999"], ["--process-port", "neighbour=0"]])
def test_an_invalid_port_is_rejected_without_a_traceback(project: Project, words: list[str]) -> None:
    done = project.run("up", "--project", str(project.folder), *words)

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "port" in done.stderr.splitlines()[-1]
    assert project.left() == []


def test_a_state_folder_that_cannot_be_created_is_reported(project: Project) -> None:
    file = project.folder / "occupied"
    file.write_text("")

    words = ("up", "--project", str(project.folder), "--state", str(file / "state"))
    with project.start(*words, state=False) as process:
        _, error = process.communicate(timeout=60)

    assert process.returncode == 1
    assert error.startswith("error: ")
    assert str(file) in error
    assert error.count("\n") == 1


def test_a_full_disk_stops_up_with_one_line_before_anything_is_started(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=199 << 20))

    with pytest.raises(StackError) as error:
        lifecycle.up(project.options, silent)

    (line,) = str(error.value).splitlines()
    assert line.startswith(f"{project.state.folder}: its disk has 199 MB left")
    assert list(project.state.folder.iterdir()) == []


def test_commands_that_need_a_running_stack_say_so(project: Project) -> None:
    for words in (("status",), ("invoke", "Greet")):
        done = project.run(*words)
        assert (done.returncode, done.stderr) == (1, "error: nothing is running here: start it with `up`\n")


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.05)
