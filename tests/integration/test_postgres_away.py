"""What Postgres says when it is away for what was asked, in the classes of errors that do not tell it by their base."""

from collections.abc import Callable

import pytest

from common.domain.shared_errors import StoreUnavailable
from common.stores.postgres import Connection, Database


def write(connection: Connection) -> None:
    connection.execute("INSERT INTO common.failed_attempts (origin, attempts, last_error) VALUES ('here', 1, '')")


def gone(superuser: Database) -> bool:
    return not superuser.rows("SELECT FROM pg_stat_activity WHERE usename = 'event_service'")


@pytest.mark.parametrize("setting", ["idle_in_transaction_session_timeout", "transaction_timeout"])
def test_a_transaction_that_took_too_long_is_worth_another_try(
    superuser: Database, database_of: Callable[[str], Database], setting: str
) -> None:
    database = database_of("event_service")

    def dawdle() -> None:
        with database.transaction() as connection:
            connection.execute(f"SET LOCAL {setting} = '50ms'")
            while not gone(superuser):
                pass
            write(connection)

    if not superuser.rows("SELECT FROM pg_settings WHERE name = %s", (setting,)):
        pytest.skip("this Postgres does not know it yet")
    with pytest.raises(StoreUnavailable):
        dawdle()
    with database.transaction() as connection:
        write(connection)


def test_a_writer_that_became_a_replica_is_worth_another_try_on_a_new_connection(
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
