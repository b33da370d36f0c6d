"""A password is asked for at each connect: it may have been rotated since, and a token is good for minutes."""

from itertools import count

import psycopg

from common.stores.postgres import Database


def test_a_connection_that_died_comes_back_with_the_password_of_now(postgres_url: str, superuser: Database) -> None:
    numbers, given = count(1), list[str]()

    def password() -> str:
        given.append(f"password {next(numbers)}")
        return given[-1]

    health = Database(psycopg.conninfo.make_conninfo(postgres_url, user="health"), password)
    assert health.row("SELECT current_user AS me") == {"me": "health"}
    assert health.row("SELECT current_user AS me") == {"me": "health"}
    superuser.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'health'")
    assert health.row("SELECT current_user AS me") == {"me": "health"}
    assert given == ["password 1", "password 2"]
    assert health._connect().info.password == "password 2"
    health.close()
