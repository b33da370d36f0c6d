"""Postgres errors that mean it is unavailable although their base class does not say so."""

from collections.abc import Callable

import pytest

from common.domain.shared_errors import StoreUnavailable
from common.stores.postgres import Connection, Database


def write(connection: Connection) -> None:
    connection.execute("INSERT INTO common.failed_attempts (origin, attempts, last_error) VALUES ('here', 1, '')")


def is_disconnected(superuser: Database) -> bool:
    return not superuser.rows("SELECT FROM pg_stat_activity WHERE usename = 'event_service'")


@pytest.mark.parametrize("setting", ["idle_in_transaction_session_timeout", "transaction_timeout"])
def test_a_transaction_that_timed_out_raises_store_unavailable(
    superuser: Database, database_of: Callable[[str], Database], setting: str
) -> None:
    database = database_of("event_service")

    def exceed_the_timeout() -> None:
        with database.transaction() as connection:
            connection.execute(f"SET LOCAL {setting} = '50ms'")
            while not is_disconnected(superuser):
                pass
            write(connection)

    if not superuser.rows("SELECT FROM pg_settings WHERE name = %s", (setting,)):
        pytest.skip("this version of Postgres does not have the setting")
    with pytest.raises(StoreUnavailable):
        exceed_the_timeout()
    with database.transaction() as connection:
        write(connection)


def test_a_write_on_a_replica_raises_store_unavailable_and_the_next_one_uses_a_new_connection(
    superuser: Database, database_of: Callable[[str], Database]
) -> None:
    database = database_of("event_service")

    def insert() -> None:
        with database.transaction() as connection:
            write(connection)

    database.row("SELECT set_config('default_transaction_read_only', 'on', false)")
    with pytest.raises(StoreUnavailable):
        insert()
    insert()
