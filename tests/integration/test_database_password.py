"""The password is read at each connect: it may have been rotated, and a token is valid for minutes only."""

from itertools import count

import psycopg

from common.stores.postgres import Database


def test_a_closed_connection_reconnects_with_the_current_password(postgres_url: str, superuser: Database) -> None:
    numbers, passwords = count(1), list[str]()

    def password() -> str:
        passwords.append(f"password {next(numbers)}")
        return passwords[-1]

    health = Database(psycopg.conninfo.make_conninfo(postgres_url, user="health"), password)
    assert health.row("SELECT current_user AS me") == {"me": "health"}
    assert health.row("SELECT current_user AS me") == {"me": "health"}
    superuser.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'health'")
    assert health.row("SELECT current_user AS me") == {"me": "health"}
    assert passwords == ["password 1", "password 2"]
    assert health._connect().info.password == "password 2"
    health.close()
