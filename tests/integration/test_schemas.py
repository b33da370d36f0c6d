"""Each service has its own login, with grants on its own schema only (docs/requirements.md, Data)."""

from collections.abc import Callable

import psycopg
import pytest

from common.stores.postgres import Database

OWN = {
    "user_service": "users",
    "event_service": "seats",
    "reservation_service": "reservations",
    "payment_service": "payments",
}


@pytest.mark.parametrize("service", OWN)
def test_a_service_reads_its_own_tables_and_no_others(database_of: Callable[[str], Database], service: str) -> None:
    database = database_of(service)
    assert database.rows(f"SELECT * FROM {service}.{OWN[service]}") == []
    for other in OWN.keys() - {service}:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.rows(f"SELECT * FROM {other}.{OWN[other]}")


def test_only_the_relay_reads_or_marks_outbox_rows(database_of: Callable[[str], Database]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database_of("payment_service").rows("SELECT payload FROM common.outbox_events")
    assert database_of("relay").rows("SELECT payload FROM common.outbox_events") == []


@pytest.mark.parametrize("login", [*OWN, "relay", "health"])
def test_every_login_has_timeouts(database_of: Callable[[str], Database], login: str) -> None:
    """For statements, locks and idle transactions: each ends before Lambda ends the function."""
    settings = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    database = database_of(login)
    assert [database.rows(f"SHOW {setting}")[0][setting] for setting in settings] == ["10s", "3s", "15s"]
