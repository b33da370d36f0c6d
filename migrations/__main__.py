"""Migrates a database to the newest schema and sets each service login's password from Secrets Manager.

    python -m migrations postgresql://owner@host/ticketing

Every migration runs once, in its own transaction; if one fails, those before it stay, and the error names it. Of two
runs at once the second waits. A killed run does not block the next one: the lock belongs to its session.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import LiteralString

import boto3
import psycopg
from psycopg import sql
from yoyo import get_backend, read_migrations

LOCK = 0x5C4E3A  # a session lock: it ends with its holder, even after a crash
SQL = Path(__file__).parent / "sql"
LOGINS = ("user_service", "event_service", "reservation_service", "payment_service", "relay", "health")


def migrate(url: str) -> int:
    """Applies missing migrations, after any run in progress; returns how many."""
    migrations = read_migrations(str(SQL))
    with psycopg.connect(url, autocommit=True) as session:
        _detect_lost_connection(session.execute)
        session.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        with get_backend(url.replace("postgresql://", "postgresql+psycopg://", 1)) as backend:
            _detect_lost_connection(backend.execute)
            backend.break_lock()  # yoyo's own lock is a row, which a killed run leaves behind
            with backend.lock():
                pending = backend.to_apply(migrations)
                backend.apply_migrations(pending)
    return len(pending)


def _detect_lost_connection(execute: Callable[[LiteralString], object]) -> None:
    """A machine that disappears keeps its locks for one minute, not for the two hours of TCP's default."""
    execute("SET tcp_keepalives_idle = 30")
    execute("SET tcp_keepalives_interval = 10")
    execute("SET tcp_keepalives_count = 3")


def newest() -> str:
    """The last migration's name: its number, a point and its subject."""
    return max(path.stem for path in SQL.glob("*.sql"))


def passwords(prefix: str) -> dict[str, str]:
    """Each login's password, from Secrets Manager."""
    secrets = boto3.client("secretsmanager")
    return {
        login: json.loads(secrets.get_secret_value(SecretId=f"{prefix}database/{login}")["SecretString"])["password"]
        for login in LOGINS
    }


def set_passwords(url: str, passwords: dict[str, str]) -> None:
    with psycopg.connect(url) as connection:
        for login, password in passwords.items():
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(password))
            )


def main() -> None:
    url = sys.argv[1]
    applied = migrate(url)
    set_passwords(url, passwords(os.environ["SECRETS_PREFIX"]))
    print(f"{applied} migrations applied")


if __name__ == "__main__":
    main()
