"""The login history on a real Postgres: what the owner sees, which logins are suspicious, and what the table reveals
(AUTH-020, AUTH-021)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from typing import Any

import pytest

from common.domain.clock import new_id
from common.domain.ids import UserId
from common.runtime.log import log
from common.stores.postgres import Database
from functions.auth.adapters.account_repository import AccountRepository
from functions.auth.adapters.login_history_repository import LoginHistoryRepository
from functions.auth.domain.account import Account, NewAccount, Role
from functions.auth.domain.caller import Caller
from functions.auth.domain.login_record import NO_HISTORY, CallerHistory, LoginMethod
from functions.auth.domain.sealed_value import SealBroken
from functions.auth.usecases.login_history import LoginHistory
from tests.support.concurrently import concurrently
from tests.support.fakes.in_memory_vault import in_memory_vault

START = datetime(2026, 5, 1, 11, tzinfo=UTC)
VAULT = in_memory_vault()
HOME = Caller("203.0.113.7", "Firefox on a laptop")
PHONE_AT_HOME = Caller("203.0.113.99", "an app")
LAPTOP_ELSEWHERE = Caller("198.51.100.1", "Firefox on a laptop")
ABROAD = Caller("2001:db8:aa:bb00::1", "curl/8")


class AccountHistory:
    """The history of one account, and a clock that tests move."""

    def __init__(self, database: Database, user_id: UserId) -> None:
        self.now = START
        self.user_id = user_id
        self.database = database
        self.history = LoginHistory(LoginHistoryRepository(database, VAULT), lambda: self.now, new_id)

    def log_in(self, caller: Caller) -> bool:
        """Whether it was suspicious."""
        self.now += timedelta(minutes=1)
        self.history.succeeded(self.user_id, caller, LoginMethod.PASSWORD)
        return self.history.page(self.user_id, 1, 0)[0][0].suspicious

    def fail(self, caller: Caller, times: int = 1) -> None:
        for _ in range(times):
            self.now += timedelta(seconds=1)
            self.history.failed(self.user_id, VAULT.lookup("email", "hong@example.com"), caller)


@pytest.fixture
def user_id(database_of: Callable[[str], Database]) -> UserId:
    account = Account(UserId(new_id()), "hong@example.com", "홍길동", None, Role.USER, START)
    AccountRepository(database_of("user_service"), VAULT).add(NewAccount(account, "ci", "a hash"))
    return account.id


@pytest.fixture
def account(database_of: Callable[[str], Database], user_id: UserId) -> AccountHistory:
    return AccountHistory(database_of("user_service"), user_id)


def logged_in_before(superuser: Database) -> None:
    with superuser.transaction() as connection:
        connection.execute("UPDATE user_service.users SET last_login_at = now()")


def test_logins_at_once_are_all_in_the_history(database_of: Callable[[str], Database], user_id: UserId) -> None:
    accounts = [AccountHistory(database_of("user_service"), user_id) for _ in range(8)]
    calls = [partial(account.history.succeeded, user_id, HOME, LoginMethod.PASSWORD) for account in accounts]
    assert concurrently(calls) == [None] * 8
    assert accounts[0].history.page(user_id, 100, 0)[1] == 8


def test_the_owner_sees_every_attempt_newest_first(account: AccountHistory) -> None:
    account.log_in(HOME)
    account.fail(ABROAD)
    account.history.succeeded(account.user_id, PHONE_AT_HOME, LoginMethod.KAKAO)
    logins, total = account.history.page(account.user_id, 2, 0)
    assert total == 3
    assert [(login.ip, login.user_agent, login.method, login.success) for login in logins] == [
        ("203.0.113.99", "an app", LoginMethod.KAKAO, True),
        ("2001:db8:aa:bb00::1", "curl/8", LoginMethod.PASSWORD, False),
    ]
    assert logins[0].at == account.now
    (first,), _ = account.history.page(account.user_id, 2, 2)
    assert (first.ip, first.at) == ("203.0.113.7", START + timedelta(minutes=1))
    assert account.history.page(account.user_id, 2, 1000) == ([], 3)
    assert account.history.page(UserId(new_id()), 2, 0) == ([], 0)


def test_the_first_login_and_one_from_a_known_network_or_browser_are_not_suspicious(
    account: AccountHistory, superuser: Database
) -> None:
    assert not account.log_in(HOME)
    logged_in_before(superuser)
    assert not account.log_in(PHONE_AT_HOME)
    assert not account.log_in(LAPTOP_ELSEWHERE)


def test_a_login_from_a_new_network_with_a_new_browser_is_suspicious_once(
    account: AccountHistory, superuser: Database
) -> None:
    account.log_in(HOME)
    logged_in_before(superuser)
    assert account.log_in(ABROAD)
    assert not account.log_in(ABROAD)


def test_a_failed_attempt_does_not_make_a_network_known(account: AccountHistory, superuser: Database) -> None:
    account.log_in(HOME)
    logged_in_before(superuser)
    account.fail(ABROAD)
    assert account.log_in(ABROAD)


def test_after_ninety_days_a_network_is_new_again(account: AccountHistory, superuser: Database) -> None:
    account.log_in(HOME)
    logged_in_before(superuser)
    account.now += timedelta(days=90)
    assert account.log_in(HOME)


def test_a_login_after_five_recent_failures_is_suspicious_from_anywhere(account: AccountHistory) -> None:
    account.log_in(HOME)
    account.fail(ABROAD, 4)
    assert not account.log_in(HOME)
    account.fail(ABROAD)
    assert account.log_in(HOME)
    account.now += timedelta(hours=1)
    assert not account.log_in(HOME)


def test_each_account_has_its_own_history(account: AccountHistory) -> None:
    account.log_in(HOME)
    account.fail(HOME, 5)
    assert account.history.of_caller(account.user_id, HOME) == CallerHistory(False, True, True, 5)
    assert account.history.of_caller(UserId(new_id()), HOME) == NO_HISTORY
    assert account.history.of_caller(None, HOME) == NO_HISTORY


def test_a_suspicious_login_is_logged_and_counted_without_its_origin(
    account: AccountHistory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = StringIO()
    monkeypatch.setattr(log.registered_handler, "stream", output)
    account.fail(ABROAD, 5)
    account.log_in(ABROAD)
    (line,) = output.getvalue().splitlines()
    assert json.loads(line)["user_id"] == str(account.user_id)
    (count,) = [line for line in capsys.readouterr().out.splitlines() if "SuspiciousSignIns" in line]
    assert json.loads(count)["SuspiciousSignIns"] == [1.0]
    for personal in (ABROAD.ip, ABROAD.user_agent, "hong@example.com"):
        assert personal not in line + count


def test_the_table_contains_no_address_and_no_browser(account: AccountHistory, superuser: Database) -> None:
    account.log_in(HOME)
    account.history.failed(None, VAULT.lookup("email", "nobody@example.com"), ABROAD)
    whole = str(superuser.rows("SELECT login_history::text AS whole, * FROM user_service.login_history"))
    for personal in (HOME.ip, "203.0.113.0", HOME.user_agent, ABROAD.ip, ABROAD.user_agent, "nobody"):
        assert personal not in whole


def test_a_sealed_value_opens_in_its_row_only(account: AccountHistory, superuser: Database) -> None:
    account.log_in(HOME)
    account.log_in(ABROAD)
    with superuser.transaction() as connection:
        connection.execute(
            """
            UPDATE user_service.login_history
               SET client_sealed = (SELECT client_sealed FROM user_service.login_history LIMIT 1)
            """
        )
    with pytest.raises(SealBroken):
        account.history.page(account.user_id, 2, 0)


def test_queries_and_records_look_the_same_with_and_without_an_account(
    account: AccountHistory, superuser: Database
) -> None:
    queries: list[tuple[str, Any]] = []

    class RecordingDatabase(Database):
        """Records the queries and the names of their parameters."""

        def rows(self, sql: str, parameters: Any = None) -> Any:
            queries.append((sql, sorted(parameters)))
            return super().rows(sql, parameters)

    recording = RecordingDatabase(account.database._conninfo)
    history = LoginHistory(LoginHistoryRepository(recording, VAULT), lambda: START, new_id)
    for user_id in (account.user_id, None):
        history.of_caller(user_id, HOME)
        history.failed(user_id, VAULT.lookup("email", "anyone@example.com"), HOME)
    recording.close()
    assert queries[0] == queries[1]
    known, unknown = superuser.rows("SELECT * FROM user_service.login_history ORDER BY user_id IS NULL")
    assert (known.pop("user_id"), unknown.pop("user_id")) == (account.user_id, None)
    shape = [
        {name: type(value) if name != "client_sealed" else len(value) for name, value in row.items()}
        for row in (known, unknown)
    ]
    assert shape[0] == shape[1]
