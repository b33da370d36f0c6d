"""Brings a database to the newest schema and gives each service's login the password Secrets Manager has for it.

    python -m migrations postgresql://owner@host/ticketing

Every migration runs in its own transaction and once; one that fails leaves the ones before it, and names itself.
"""

import json
import os
import sys
from pathlib import Path

import boto3
import psycopg
from psycopg import sql
from yoyo import get_backend, read_migrations

SQL = Path(__file__).parent / "sql"
LOGINS = ("user_service", "event_service", "reservation_service", "payment_service", "relay", "health")


def migrate(url: str) -> int:
    """Apply what is missing; how many that was."""
    backend = get_backend(url.replace("postgresql://", "postgresql+psycopg://", 1))
    migrations = read_migrations(str(SQL))
    with backend.lock():
        pending = backend.to_apply(migrations)
        backend.apply_migrations(pending)
    return len(pending)


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
