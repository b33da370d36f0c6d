"""Personal data go when their time is over and never while somebody needs them, on a real Postgres (AUTH-018 f.)."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from common.domain.clock import new_id
from common.stores.postgres import Database
from functions.auth.adapters import dormant_data_repository as dormancy
from functions.auth.domain.account import Role
from functions.auth.domain.errors import EmailTaken, InvalidCredentials
from functions.auth.usecases import retirement
from functions.auth.usecases.retirement import BELONGINGS, Retirement, RetirementTerms
from tests.concurrently import concurrently
from tests.session_desk import LIFE, START, Desk, live_tokens, pairs

YEAR, MONTH = timedelta(days=365), timedelta(days=30)
NewDesk = Callable[[], Desk]


@pytest.fixture
def user(desk: Desk) -> UUID:
    return desk.join()


@pytest.fixture
def retire(database_of: Callable[[str], Database]) -> Callable[[datetime], dict[str, int]]:
    """One run at that time: what it did."""
    moment = START
    batch = Retirement(database_of("user_service"), lambda: moment, RetirementTerms())

    def run(now: datetime) -> dict[str, int]:
        nonlocal moment
        moment = now
        return {name: done for name, done in run_whole(batch).items() if done}

    return run


Retire = Callable[[datetime], dict[str, int]]


def statuses(superuser: Database) -> list[str]:
    return [row["status"] for row in superuser.rows("SELECT status FROM user_service.users ORDER BY id")]


def whole(superuser: Database, table: str) -> str:
    """All there is in a table, as text."""
    return "\n".join(row["whole"] for row in superuser.rows(f"SELECT t::text AS whole FROM user_service.{table} AS t"))


def run_whole(batch: Retirement) -> dict[str, int]:
    return dict(batch.run(lambda: True))


def test_an_account_signed_in_to_while_it_is_set_apart_ends_up_whole(
    new_desk: NewDesk, superuser: Database, retire: Retire
) -> None:
    desk = new_desk()
    for attempt in range(30):
        desk.now = START
        user = desk.join(f"{attempt}@example.com")
        desk.now = START + YEAR
        race: list[Callable[[], object]] = [
            partial(retire, START + YEAR),
            partial(desk.sessions.open, user, Role.USER),
        ]
        assert len(pairs(concurrently(race))) == 1
        account = desk.accounts.account(user)
        assert account is not None
        assert (account.email, account.name, account.phone) == (f"{attempt}@example.com", "홍길동", "01012345678")
        assert superuser.rows("SELECT 1 FROM user_service.dormant_personal_data") == []
    assert set(statuses(superuser)) == {"ACTIVE"}


def test_nobody_signs_in_to_an_account_while_it_is_destroyed_and_its_person_can_join_again(
    new_desk: NewDesk, superuser: Database, retire: Retire
) -> None:
    desk, another = new_desk(), new_desk()
    for attempt in range(20):
        desk.now, email = START, f"{attempt}@example.com"
        user = desk.join(email)
        desk.changes.withdraw(user, "a hash", START)
        race: list[Callable[[], object]] = [
            partial(retire, START + MONTH),
            partial(desk.sessions.open, user, Role.USER, "a hash"),
            partial(another.join, email),
        ]
        done, signed_in, joined = concurrently(race)
        assert done == {"AccountsDestroyed": 1}
        assert isinstance(signed_in, InvalidCredentials)
        # Whoever asks during the destruction waits for it; before it, the address is still taken.
        assert isinstance(joined, UUID) or (isinstance(joined, EmailTaken) and another.join(email))
        assert live_tokens(superuser) == 0


def test_runs_at_once_share_the_work(database_of: Callable[[str], Database], desk: Desk, superuser: Database) -> None:
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
    batches = [Retirement(database_of("user_service"), lambda: START + YEAR, RetirementTerms()) for _ in range(4)]
    race: list[Callable[[], object]] = [partial(run_whole, batch) for batch in batches]
    done = [outcome["AccountsMadeDormant"] for outcome in concurrently(race) if isinstance(outcome, dict)]
    assert sum(done) == len(superuser.rows("SELECT 1 FROM user_service.dormant_personal_data")) == 250
    assert len(done) == 4


def test_a_withdrawn_account_is_destroyed_after_its_time_and_nothing_personal_is_left(
    desk: Desk, superuser: Database, user: UUID, retire: Retire
) -> None:
    kept = desk.join("lee@example.com")
    desk.sessions.open(user, Role.USER)
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
    assert desk.changes.withdraw(user, "a hash", START)
    assert retire(START + MONTH - timedelta(seconds=1)) == {}
    assert retire(START + MONTH) == {"AccountsDestroyed": 1}
    assert retire(START + MONTH) == {}

    (row,) = superuser.rows("SELECT * FROM user_service.users WHERE id = %s", (user,))
    left = {name for name, value in row.items() if value is not None}
    assert left == {"id", "role", "status", "created_at", "withdrawn_at"}
    for table in BELONGINGS:
        assert str(user) not in whole(superuser, table)
    assert desk.accounts.account(kept)


def test_an_account_unused_for_a_year_is_set_apart_and_wakes_with_its_owners_next_sign_in(
    desk: Desk, superuser: Database, user: UUID, retire: Retire
) -> None:
    before = superuser.rows("SELECT * FROM user_service.users")
    assert retire(START + YEAR - timedelta(seconds=1)) == {}
    assert retire(START + YEAR) == {"AccountsMadeDormant": 1}
    assert desk.accounts.account(user) is None
    (row,) = superuser.rows("SELECT * FROM user_service.users")
    assert row["status"] == "DORMANT"
    assert {row[name] for name in ("email_sealed", "name_sealed", "phone_sealed", "ci_sealed")} == {None}

    assert desk.accounts.credentials("hong@example.com")
    desk.now = START + YEAR
    desk.sessions.open(user, Role.USER)
    assert superuser.rows("SELECT * FROM user_service.users") == [{**before[0], "last_login_at": desk.now}]
    assert superuser.rows("SELECT 1 FROM user_service.dormant_personal_data") == []


def test_an_account_whose_session_is_renewed_is_in_use_however_old_its_sign_in(
    desk: Desk, superuser: Database, user: UUID, retire: Retire
) -> None:
    pair = desk.sessions.open(user, Role.USER)
    while desk.now < START + YEAR:
        desk.now += timedelta(days=6)
        pair = desk.sessions.renew(pair.refresh_token)
    assert "AccountsMadeDormant" not in retire(desk.now)
    assert retire(desk.now + LIFE + YEAR)["AccountsMadeDormant"] == 1


def test_old_sign_ins_and_long_ended_refresh_tokens_are_forgotten(
    desk: Desk, superuser: Database, user: UUID, retire: Retire
) -> None:
    desk.sessions.renew(desk.sessions.open(user, Role.USER).refresh_token)
    with superuser.transaction() as connection:
        connection.execute(
            """
            INSERT INTO user_service.login_history
                   (id, email_hash, at, method, success, suspicious, client_sealed, network_hash, agent_hash)
            VALUES (%s, 'an address', %s, 'PASSWORD', false, false, 'a client', 'a network', 'an agent')
            """,
            (new_id(), START),
        )
    ended = START + LIFE + MONTH
    assert retire(ended - timedelta(seconds=1)) == {}
    assert retire(ended) == {"RefreshTokensPruned": 2}
    assert retire(START + timedelta(days=90) - timedelta(seconds=1)) == {}
    assert retire(START + timedelta(days=90)) == {"LoginsPruned": 1}


def test_a_run_goes_on_where_the_one_before_it_ran_out_of_time(
    database_of: Callable[[str], Database], desk: Desk, superuser: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retirement, "ACCOUNTS_A_BATCH", 2)
    for number in range(5):
        desk.join(f"{number}@example.com")
    batch = Retirement(database_of("user_service"), lambda: START + YEAR, RetirementTerms())

    def run(batches: int) -> int:
        times: Iterator[bool] = iter([True] * (batches + 1))  # one of them is asked for the withdrawn
        return dict(batch.run(lambda: next(times, False)))["AccountsMadeDormant"]

    assert [run(1), run(1), run(2), run(1)] == [2, 2, 1, 0]
    assert set(statuses(superuser)) == {"DORMANT"}


def test_awake_accounts_are_left_alone_by_waking(desk: Desk, superuser: Database, user: UUID) -> None:
    before = superuser.rows("SELECT * FROM user_service.users")
    with superuser.transaction() as connection:
        dormancy.awaken(connection, user)
    assert superuser.rows("SELECT * FROM user_service.users") == before
