"""Brings a database to the newest schema and gives each service's login the password Secrets Manager has for it.

    python -m migrations postgresql://owner@host/ticketing

Every migration runs in its own transaction and once; one that fails leaves the ones before it, and names itself. Of two
at once the second waits, and one that is killed keeps nobody from going on: the lock is of its session.
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

LOCK = 0x5C4E3A  # of a session: it ends with its holder, however that dies
SQL = Path(__file__).parent / "sql"
LOGINS = ("user_service", "event_service", "reservation_service", "payment_service", "relay", "health")


def migrate(url: str) -> int:
    """Apply what is missing, after whoever is at it already; how many that was."""
    migrations = read_migrations(str(SQL))
    with psycopg.connect(url, autocommit=True) as session:
        _notice_death(session.execute)
        session.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        with get_backend(url.replace("postgresql://", "postgresql+psycopg://", 1)) as backend:
            _notice_death(backend.execute)
            backend.break_lock()  # yoyo's own is a row, which a migration that was killed leaves behind
            with backend.lock():
                pending = backend.to_apply(migrations)
                backend.apply_migrations(pending)
    return len(pending)


def _notice_death(execute: Callable[[LiteralString], object]) -> None:
    """A machine that is gone without a word holds its locks for a minute, not for the two hours of TCP's default."""
    execute("SET tcp_keepalives_idle = 30")
    execute("SET tcp_keepalives_interval = 10")
    execute("SET tcp_keepalives_count = 3")


def newest() -> str:
    """The last migration's name: its number, a point and what it is about."""
    return max(path.stem for path in SQL.glob("*.sql"))


def passwords(prefix: str) -> dict[str, str]:
    """Each login's, as Secrets Manager has them."""
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
