"""CloudFormation's way to migrate: as an owner who is no superuser, as on RDS, and never without an answer."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import boto3
import psycopg
import pytest
from moto import mock_aws
from psycopg import sql

from emulator import services
from migrations import on_deploy
from migrations.__main__ import LOGINS, SQL, migrate, newest
from tests.support.concurrently import concurrently

CONTEXT = SimpleNamespace(log_group_name="/schema")


class CloudFormation:
    """Waits for what a custom resource answers."""

    def __init__(self) -> None:
        answers = self.answers = list[dict[str, Any]]()

        class Bucket(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Bucket)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ask(self, kind: str) -> dict[str, Any]:
        on_deploy.handler(
            {
                "RequestType": kind,
                "ResponseURL": f"http://127.0.0.1:{self.server.server_port}/",
                "StackId": "stack",
                "RequestId": f"request {len(self.answers)}",
                "LogicalResourceId": "Migrated",
            },
            CONTEXT,
        )
        return self.answers[-1]


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    waiting = CloudFormation()
    yield waiting
    waiting.server.shutdown()
    waiting.server.server_close()


@pytest.fixture(scope="module")
def rds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that nobody has migrated, with an owner of RDS's kind: may make roles, and is no superuser."""
    with services.start({"postgres": {"database": "ticketing"}}, tmp_path_factory.mktemp("rds")) as running:
        with psycopg.connect(running.postgres, autocommit=True) as superuser:
            superuser.execute("CREATE ROLE owner LOGIN CREATEROLE")
            superuser.execute("CREATE ROLE rds_iam")
            superuser.execute("GRANT rds_iam TO owner WITH ADMIN OPTION")
            superuser.execute("ALTER DATABASE ticketing OWNER TO owner")
        yield running.postgres


@pytest.fixture
def aws(rds: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    place = psycopg.conninfo.conninfo_to_dict(rds)
    for name, value in {
        "AWS_DEFAULT_REGION": "ap-northeast-2",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "DATABASE_HOST": place["host"],
        "DATABASE_PORT": place["port"],
        "DATABASE_NAME": place["dbname"],
        "DATABASE_SSLMODE": "disable",
        "DATABASE_AUTH": "iam",
        "SECRETS_PREFIX": "ticketing/",
    }.items():
        monkeypatch.setenv(name, str(value))
    with mock_aws():
        manager = boto3.client("secretsmanager")
        owner = manager.create_secret(Name="owner", SecretString='{"username": "owner", "password": "p@ss/w:rd?"}')
        monkeypatch.setenv("OWNER_SECRET_ARN", owner["ARN"])
        for login in LOGINS:
            manager.create_secret(Name=f"ticketing/database/{login}", SecretString=json.dumps({"password": login}))
        yield monkeypatch


@pytest.mark.usefixtures("aws")
def test_it_migrates_lets_iam_in_and_finds_nothing_to_do_the_next_time(
    rds: str, cloudformation: CloudFormation
) -> None:
    for kind in ("Create", "Update", "Delete"):
        answer = cloudformation.ask(kind)
        assert (answer["Status"], answer["Reason"]) == ("SUCCESS", ""), kind
        assert answer["Data"] == ({} if kind == "Delete" else {"Version": newest()})
    with psycopg.connect(rds) as superuser:
        members = superuser.execute(
            "SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members WHERE roleid = 'rds_iam'::regrole"
        ).fetchall()
        assert {member for _, member in members} >= set(LOGINS)
        assert superuser.execute("SELECT count(*) FROM user_service.users").fetchone() == (0,)


@pytest.mark.usefixtures("aws")
def test_a_migration_that_was_killed_half_way_keeps_no_later_one_from_running(
    rds: str, cloudformation: CloudFormation
) -> None:
    assert cloudformation.ask("Create")["Status"] == "SUCCESS"
    with psycopg.connect(rds) as superuser:
        superuser.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 4242)")
    assert cloudformation.ask("Update")["Status"] == "SUCCESS"


def test_of_two_migrations_at_once_one_waits_and_finds_nothing_to_do(rds: str) -> None:
    with psycopg.connect(rds, autocommit=True) as superuser:
        superuser.execute("CREATE DATABASE twice OWNER owner")
    twice = psycopg.conninfo.conninfo_to_dict(rds)
    url = f"postgresql://owner@{twice['host']}:{twice['port']}/twice"  # roles are the server's, and whose who made them
    applied = concurrently([partial(migrate, url)] * 2)
    assert sorted(applied, key=str) == [0, len(list(SQL.glob("*.sql")))]


def test_without_iam_it_gives_every_login_its_password(rds: str, aws: Any, cloudformation: CloudFormation) -> None:
    aws.setenv("DATABASE_AUTH", "password")
    assert cloudformation.ask("Update")["Status"] == "SUCCESS"
    with psycopg.connect(rds) as superuser:
        known = superuser.execute(
            sql.SQL("SELECT count(*) FROM pg_authid WHERE rolpassword IS NOT NULL AND rolname = ANY(%s)"),
            (list(LOGINS),),
        ).fetchone()
    assert known == (len(LOGINS),)


def test_a_migration_that_fails_fails_the_deployment_and_says_no_secret(
    aws: Any, cloudformation: CloudFormation
) -> None:
    aws.setenv("DATABASE_NAME", "not-there")
    answer = cloudformation.ask("Update")
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].endswith("see /schema")
    assert "p@ss" not in json.dumps(answer)
