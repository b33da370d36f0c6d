"""Migrations as a CloudFormation custom resource: the owner is no superuser, as on RDS, and is always answered."""

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
    """Calls the custom resource and receives its answers."""

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

    def call(self, kind: str) -> dict[str, Any]:
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
    receiver = CloudFormation()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture(scope="module")
def rds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An unmigrated server with an owner as on RDS: one who may create roles but is no superuser."""
    with services.start({"postgres": {"database": "ticketing"}}, tmp_path_factory.mktemp("rds")) as running:
        with psycopg.connect(running.postgres, autocommit=True) as superuser:
            superuser.execute("CREATE ROLE owner LOGIN CREATEROLE")
            superuser.execute("CREATE ROLE rds_iam")
            superuser.execute("GRANT rds_iam TO owner WITH ADMIN OPTION")
            superuser.execute("ALTER DATABASE ticketing OWNER TO owner")
        yield running.postgres


@pytest.fixture
def aws(rds: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    address = psycopg.conninfo.conninfo_to_dict(rds)
    for name, value in {
        "AWS_DEFAULT_REGION": "ap-northeast-2",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "DATABASE_HOST": address["host"],
        "DATABASE_PORT": address["port"],
        "DATABASE_NAME": address["dbname"],
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
def test_it_migrates_once_and_grants_iam_logins(rds: str, cloudformation: CloudFormation) -> None:
    for kind in ("Create", "Update", "Delete"):
        answer = cloudformation.call(kind)
        assert (answer["Status"], answer["Reason"]) == ("SUCCESS", ""), kind
        assert answer["Data"] == ({} if kind == "Delete" else {"Version": newest()})
    with psycopg.connect(rds) as superuser:
        members = superuser.execute(
            "SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members WHERE roleid = 'rds_iam'::regrole"
        ).fetchall()
        assert {member for _, member in members} >= set(LOGINS)
        assert superuser.execute("SELECT count(*) FROM user_service.users").fetchone() == (0,)


@pytest.mark.usefixtures("aws")
def test_a_killed_migration_does_not_block_later_ones(rds: str, cloudformation: CloudFormation) -> None:
    assert cloudformation.call("Create")["Status"] == "SUCCESS"
    with psycopg.connect(rds) as superuser:
        superuser.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 4242)")
    assert cloudformation.call("Update")["Status"] == "SUCCESS"


def test_the_second_of_two_concurrent_migrations_has_nothing_to_do(rds: str) -> None:
    with psycopg.connect(rds, autocommit=True) as superuser:
        superuser.execute("CREATE DATABASE concurrent OWNER owner")
    address = psycopg.conninfo.conninfo_to_dict(rds)
    # As `owner`: roles belong to the whole server, and only their creator may alter them.
    url = f"postgresql://owner@{address['host']}:{address['port']}/concurrent"
    applied = concurrently([partial(migrate, url)] * 2)
    assert sorted(applied, key=str) == [0, len(list(SQL.glob("*.sql")))]


def test_without_iam_it_sets_the_password_of_every_login(rds: str, aws: Any, cloudformation: CloudFormation) -> None:
    aws.setenv("DATABASE_AUTH", "password")
    assert cloudformation.call("Update")["Status"] == "SUCCESS"
    with psycopg.connect(rds) as superuser:
        known = superuser.execute(
            sql.SQL("SELECT count(*) FROM pg_authid WHERE rolpassword IS NOT NULL AND rolname = ANY(%s)"),
            (list(LOGINS),),
        ).fetchone()
    assert known == (len(LOGINS),)


def test_a_failed_migration_fails_the_deployment_and_leaks_no_secret(aws: Any, cloudformation: CloudFormation) -> None:
    aws.setenv("DATABASE_NAME", "not-there")
    answer = cloudformation.call("Update")
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].endswith("see /schema")
    assert "p@ss" not in json.dumps(answer)
