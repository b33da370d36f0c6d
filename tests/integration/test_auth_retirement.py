"""Personal data is destroyed or separated on time, and never while in use, on a real Postgres (AUTH-018, AUTH-019)."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from common.domain.clock import new_id
from common.domain.ids import UserId
from common.stores.postgres import Database
from functions.auth.adapters import dormant_data_repository as dormancy
from functions.auth.adapters.retirement_repository import BELONGINGS, RetirementRepository
from functions.auth.domain.account import Role
from functions.auth.domain.errors import EmailTaken, InvalidCredentials
from functions.auth.usecases import retirement
from functions.auth.usecases.retirement import Retirement, RetirementTerms
from tests.support.concurrently import concurrently
from tests.support.fixtures.auth_service import LIFETIME, START, AuthService, live_tokens, pairs

YEAR, MONTH = timedelta(days=365), timedelta(days=30)
NewService = Callable[[], AuthService]


@pytest.fixture
def user(service: AuthService) -> UserId:
    return service.register()


@pytest.fixture
def retire(database_of: Callable[[str], Database]) -> Callable[[datetime], dict[str, int]]:
    """Runs once at that time; returns what was done."""
    run_at = START
    batch = Retirement(database_of("user_service"), RetirementRepository(), lambda: run_at, RetirementTerms())

    def run(now: datetime) -> dict[str, int]:
        nonlocal run_at
        run_at = now
        return {name: done for name, done in run_to_the_end(batch).items() if done}

    return run


Retire = Callable[[datetime], dict[str, int]]


def statuses(superuser: Database) -> list[str]:
    return [row["status"] for row in superuser.rows("SELECT status FROM user_service.users ORDER BY id")]


def table_text(superuser: Database, table: str) -> str:
    """A whole table as text."""
    return "\n".join(row["whole"] for row in superuser.rows(f"SELECT t::text AS whole FROM user_service.{table} AS t"))


def run_to_the_end(batch: Retirement) -> dict[str, int]:
    return dict(batch.run(lambda: True))


def test_a_login_while_the_account_becomes_dormant_leaves_it_complete(
    new_service: NewService, superuser: Database, retire: Retire
) -> None:
    service = new_service()
    for attempt in range(30):
        service.now = START
        user = service.register(f"{attempt}@example.com")
        service.now = START + YEAR
        race: list[Callable[[], object]] = [
            partial(retire, START + YEAR),
            partial(service.sessions.open, user, Role.USER),
        ]
        assert len(pairs(concurrently(race))) == 1
        account = service.accounts.account(user)
        assert account is not None
        assert (account.email, account.name, account.phone) == (f"{attempt}@example.com", "홍길동", "01012345678")
        assert superuser.rows("SELECT 1 FROM user_service.dormant_personal_data") == []
    assert set(statuses(superuser)) == {"ACTIVE"}


def test_no_login_succeeds_while_an_account_is_destroyed_and_its_person_can_register_again(
    new_service: NewService, superuser: Database, retire: Retire
) -> None:
    service, another = new_service(), new_service()
    for attempt in range(20):
        service.now, email = START, f"{attempt}@example.com"
        user = service.register(email)
        service.changes.withdraw(user, "a hash", START)
        race: list[Callable[[], object]] = [
            partial(retire, START + MONTH),
            partial(service.sessions.open, user, Role.USER, "a hash"),
            partial(another.register, email),
        ]
        done, logged_in, registered = concurrently(race)
        assert done == {"AccountsDestroyed": 1}
        assert isinstance(logged_in, InvalidCredentials)
        # A registration during the destruction waits for it; before it, the address is still taken.
        assert isinstance(registered, UUID) or (isinstance(registered, EmailTaken) and another.register(email))
        assert live_tokens(superuser) == 0


def test_runs_at_once_share_the_work(
    database_of: Callable[[str], Database], service: AuthService, superuser: Database
) -> None:
    with superuser.transaction() as connection:
        for number in range(250):
            connection.execute(
                """
                INSERT INTO user_service.users (id, email_sealed, name_sealed, ci_sealed, email_hash, ci_hash,
                                                password_hash, created_at)
                VALUES (%s, 'e', 'n', 'c', %s, %s, 'p', %s)
                """,
                (new_id(), f"e{number}".encode(), f"c{number}".encode(), START),
            )
    batches = [
        Retirement(database_of("user_service"), RetirementRepository(), lambda: START + YEAR, RetirementTerms())
        for _ in range(4)
    ]
    race: list[Callable[[], object]] = [partial(run_to_the_end, batch) for batch in batches]
    done = [outcome["AccountsMadeDormant"] for outcome in concurrently(race) if isinstance(outcome, dict)]
    assert sum(done) == len(superuser.rows("SELECT 1 FROM user_service.dormant_personal_data")) == 250
    assert len(done) == 4


def test_a_withdrawn_account_is_destroyed_after_its_time_and_no_personal_data_is_left(
    service: AuthService, superuser: Database, user: UserId, retire: Retire
) -> None:
    kept = service.register("lee@example.com")
    service.sessions.open(user, Role.USER)
    with superuser.transaction() as connection:
        connection.execute(
            """
            INSERT INTO user_service.login_history
                   (id, user_id, at, method, success, suspicious, client_sealed, network_hash, agent_hash)
            VALUES (%s, %s, %s, 'PASSWORD', true, false, 'a client', 'a network', 'an agent')
            """,
            (new_id(), user, START + MONTH),
        )
        connection.execute(
            "INSERT INTO user_service.social_identities VALUES ('kakao', 'a subject', %s, %s)", (user, START)
        )
    assert service.changes.withdraw(user, "a hash", START)
    assert retire(START + MONTH - timedelta(seconds=1)) == {}
    assert retire(START + MONTH) == {"AccountsDestroyed": 1}
    assert retire(START + MONTH) == {}

    (row,) = superuser.rows("SELECT * FROM user_service.users WHERE id = %s", (user,))
    left = {name for name, value in row.items() if value is not None}
    assert left == {"id", "role", "status", "created_at", "withdrawn_at"}
    for table in BELONGINGS:
        assert str(user) not in table_text(superuser, table)
    assert service.accounts.account(kept)


def test_an_account_unused_for_a_year_becomes_dormant_and_the_next_login_makes_it_active(
    service: AuthService, superuser: Database, user: UserId, retire: Retire
) -> None:
    before = superuser.rows("SELECT * FROM user_service.users")
    assert retire(START + YEAR - timedelta(seconds=1)) == {}
    assert retire(START + YEAR) == {"AccountsMadeDormant": 1}
    assert service.accounts.account(user) is None
    (row,) = superuser.rows("SELECT * FROM user_service.users")
    assert row["status"] == "DORMANT"
    assert {row[name] for name in ("email_sealed", "name_sealed", "phone_sealed", "ci_sealed")} == {None}

    assert service.accounts.credentials("hong@example.com")
    service.now = START + YEAR
    service.sessions.open(user, Role.USER)
    assert superuser.rows("SELECT * FROM user_service.users") == [{**before[0], "last_login_at": service.now}]
    assert superuser.rows("SELECT 1 FROM user_service.dormant_personal_data") == []


def test_an_account_whose_session_is_renewed_does_not_become_dormant(
    service: AuthService, superuser: Database, user: UserId, retire: Retire
) -> None:
    pair = service.sessions.open(user, Role.USER)
    while service.now < START + YEAR:
        service.now += timedelta(days=6)
        pair = service.sessions.renew(pair.refresh_token)
    assert "AccountsMadeDormant" not in retire(service.now)
    assert retire(service.now + LIFETIME + YEAR)["AccountsMadeDormant"] == 1


def test_old_logins_and_long_expired_refresh_tokens_are_deleted(
    service: AuthService, superuser: Database, user: UserId, retire: Retire
) -> None:
    service.sessions.renew(service.sessions.open(user, Role.USER).refresh_token)
    with superuser.transaction() as connection:
        connection.execute(
            """
            INSERT INTO user_service.login_history
                   (id, email_hash, at, method, success, suspicious, client_sealed, network_hash, agent_hash)
            VALUES (%s, 'an address', %s, 'PASSWORD', false, false, 'a client', 'a network', 'an agent')
            """,
            (new_id(), START),
        )
    ended = START + LIFETIME + MONTH
    assert retire(ended - timedelta(seconds=1)) == {}
    assert retire(ended) == {"RefreshTokensPruned": 2}
    assert retire(START + timedelta(days=90) - timedelta(seconds=1)) == {}
    assert retire(START + timedelta(days=90)) == {"LoginsPruned": 1}


def test_a_run_continues_where_the_previous_one_ran_out_of_time(
    database_of: Callable[[str], Database], service: AuthService, superuser: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retirement, "ACCOUNTS_A_BATCH", 2)
    for number in range(5):
        service.register(f"{number}@example.com")
    batch = Retirement(database_of("user_service"), RetirementRepository(), lambda: START + YEAR, RetirementTerms())

    def run(batches: int) -> int:
        times: Iterator[bool] = iter([True] * (batches + 1))  # one more, for the withdrawn accounts
        return dict(batch.run(lambda: next(times, False)))["AccountsMadeDormant"]

    assert [run(1), run(1), run(2), run(1)] == [2, 2, 1, 0]
    assert set(statuses(superuser)) == {"DORMANT"}


def test_waking_an_active_account_changes_nothing(service: AuthService, superuser: Database, user: UserId) -> None:
    before = superuser.rows("SELECT * FROM user_service.users")
    with superuser.transaction() as connection:
        dormancy.wake(connection, user)
    assert superuser.rows("SELECT * FROM user_service.users") == before
