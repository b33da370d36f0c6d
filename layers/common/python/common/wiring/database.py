"""This function's Postgres database, under its service's own login."""

from collections.abc import Callable
from functools import cache
from typing import Literal

import psycopg

from common.runtime.settings import Settings
from common.stores.postgres import CONNECT_SECONDS, Database
from common.wiring.secret_cache import secret


class DatabaseSettings(Settings):
    database_host: str
    database_reader_host: str = ""  # a replica's, for functions that read what may be a moment old; "" is the writer's
    database_port: int = 5432
    database_name: str
    database_auth: Literal["password", "iam"] = "password"  # iam: with the function's own role, as to RDS Proxy
    database_user: str  # one login per service; its grants stop at its own schema
    database_sslmode: str = "require"


@cache
def database() -> Database:
    settings = DatabaseSettings.from_environment()
    return _connected_to(settings.database_host, settings)


@cache
def reader() -> Database:
    """A read replica if there is one (EVT-022): what it returns may be a moment old."""
    settings = DatabaseSettings.from_environment()
    if settings.database_reader_host in ("", settings.database_host):
        return database()
    return _connected_to(settings.database_reader_host, settings)


def _connected_to(host: str, settings: DatabaseSettings) -> Database:
    return Database(
        psycopg.conninfo.make_conninfo(
            host=host,
            port=settings.database_port,
            dbname=settings.database_name,
            user=settings.database_user,
            sslmode=settings.database_sslmode,
            connect_timeout=CONNECT_SECONDS,
        ),
        _password(host, settings),
    )


def _password(host: str, settings: DatabaseSettings) -> Callable[[], str]:
    if settings.database_auth == "password":
        return lambda: str(secret(f"database/{settings.database_user}")["password"])
    from common.stores.database_token import DatabaseTokenSigner  # loads botocore

    signer = DatabaseTokenSigner()
    return lambda: signer.token(host, settings.database_port, settings.database_user)
