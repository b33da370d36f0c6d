"""Old personal data is sealed again under the newest key while users change theirs (AUTH-020)."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from threading import Event

import pytest

from common.domain.clock import new_id
from common.domain.ids import UserId
from common.stores.postgres import Database
from functions.auth.adapters.account_repository import AccountRepository
from functions.auth.adapters.sealed_row_repository import TABLES, SealedRowRepository, SealedTable
from functions.auth.adapters.vault import Vault
from functions.auth.domain.account import Account, NewAccount, Role
from functions.auth.usecases.resealing import BATCH_ROWS, Resealing
from tests.support.concurrently import concurrently
from tests.support.fakes.in_memory_vault import LOOKUP_KEY, InMemoryKeys

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)


def resealing_with(database: Database, vault: Vault) -> Resealing:
    return Resealing(database, SealedRowRepository(database), vault)


def time_is_left() -> bool:
    return True


@pytest.fixture
def keys() -> InMemoryKeys:
    return InMemoryKeys()


@pytest.fixture
def vault(keys: InMemoryKeys) -> Vault:
    return Vault(keys, lambda: LOOKUP_KEY)


@pytest.fixture
def accounts(database_of: Callable[[str], Database], vault: Vault) -> AccountRepository:
    return AccountRepository(database_of("user_service"), vault)


def register_users(accounts: AccountRepository, count: int) -> list[UserId]:
    ids = [UserId(new_id()) for _ in range(count)]
    for number, user_id in enumerate(ids):
        phone = None if number % 3 == 0 else f"010{number:08}"
        account = Account(user_id, f"user{number}@example.com", "as registered", phone, Role.USER, NOW)
        accounts.add(NewAccount(account, f"ci {number}", "a hash"))
    return ids


def key_ids(superuser: Database) -> set[int]:
    """The key ids of all sealed values."""
    return {
        int.from_bytes(sealed[1:5])
        for table in TABLES
        for row in superuser.rows(f"SELECT {', '.join(table.columns)} FROM user_service.{table.name}")
        for sealed in row.values()
        if sealed is not None
    }


def test_concurrent_writes_are_not_lost_and_every_value_gets_the_newest_key(
    database_of: Callable[[str], Database],
    superuser: Database,
    accounts: AccountRepository,
    vault: Vault,
    keys: InMemoryKeys,
) -> None:
    users = register_users(accounts, 60)
    done = Event()
    written: dict[UserId, str] = dict.fromkeys(users, "as registered")

    def write(user_ids: list[UserId]) -> int:
        database, rounds = database_of("user_service"), 0
        repository = AccountRepository(database, vault)
        while not done.is_set():
            for user_id in user_ids:
                assert repository.update(user_id, name=f"round {rounds}") is not None
                written[user_id] = f"round {rounds}"
            rounds += 1
        return rounds

    def rotate() -> int:
        resealing = resealing_with(database_of("user_service"), vault)
        try:
            for _ in range(15):
                keys.renew()
                resealing.reseal(time_is_left)
        finally:
            done.set()
        return 15

    calls: list[Callable[[], int]] = [partial(write, users[:20]), partial(write, users[20:40]), rotate]
    rounds = concurrently(calls)
    assert all(isinstance(each, int) and each > 1 for each in rounds), rounds
    last = resealing_with(database_of("user_service"), vault).reseal(time_is_left)
    assert (last.broken, last.left) == (0, 0)
    assert key_ids(superuser) == {16}
    for number, user_id in enumerate(users):
        account = accounts.account(user_id)
        assert account is not None
        assert (account.name, account.email) == (written[user_id], f"user{number}@example.com")


def test_two_runs_at_once_share_the_work(
    database_of: Callable[[str], Database],
    superuser: Database,
    accounts: AccountRepository,
    vault: Vault,
    keys: InMemoryKeys,
) -> None:
    register_users(accounts, 2 * BATCH_ROWS + 30)
    keys.renew()
    both = [resealing_with(database_of("user_service"), vault) for _ in range(2)]
    shares = concurrently([partial(each.reseal, time_is_left) for each in both])
    assert sum(share.rows for share in shares if not isinstance(share, Exception)) == 2 * BATCH_ROWS + 30
    assert key_ids(superuser) == {2}


def test_a_run_that_crashes_leaves_every_value_readable_and_the_next_run_completes_it(
    database_of: Callable[[str], Database],
    superuser: Database,
    accounts: AccountRepository,
    keys: InMemoryKeys,
    vault: Vault,
) -> None:
    users = register_users(accounts, 5)

    class CrashingVault(Vault):
        """Crashes after `seals_left` seals."""

        seals_left = 0

        def seal(self, *what: object) -> bytes:
            if not self.seals_left:
                raise KeyboardInterrupt
            self.seals_left -= 1
            return super().seal(*what)  # type: ignore[arg-type]

    crashing = CrashingVault(keys, lambda: LOOKUP_KEY)
    for seals_left in range(0, 18, 3):
        keys.renew()
        crashing.seals_left = seals_left
        with pytest.raises(KeyboardInterrupt):
            resealing_with(database_of("user_service"), crashing).reseal(time_is_left)
        assert all(accounts.account(user) is not None for user in users)
    assert resealing_with(database_of("user_service"), vault).reseal(time_is_left).left == 0
    assert key_ids(superuser) == {keys.newest().id}
    assert all(accounts.account(user) is not None for user in users)


def test_a_run_without_time_left_reports_the_rest_and_the_next_run_does_it(
    database_of: Callable[[str], Database], accounts: AccountRepository, vault: Vault, keys: InMemoryKeys
) -> None:
    register_users(accounts, BATCH_ROWS + 7)
    keys.renew()
    resealing = resealing_with(database_of("user_service"), vault)
    time_left = iter([True, False])
    first = resealing.reseal(lambda: next(time_left, False))
    assert (first.rows, first.left) == (BATCH_ROWS, 7)
    second = resealing.reseal(time_is_left)
    assert (second.rows, second.left) == (7, 0)
    assert resealing.reseal(time_is_left).rows == 0


def test_a_row_that_does_not_open_is_counted_and_delays_no_other(
    database_of: Callable[[str], Database],
    superuser: Database,
    accounts: AccountRepository,
    vault: Vault,
    keys: InMemoryKeys,
) -> None:
    one, other = register_users(accounts, 2)
    with superuser.transaction() as connection:  # a name is moved to another row
        connection.execute(
            "UPDATE user_service.users SET name_sealed = (SELECT name_sealed FROM user_service.users WHERE id = %s)"
            " WHERE id = %s",
            (one, other),
        )
    keys.renew()
    resealed = resealing_with(database_of("user_service"), vault).reseal(time_is_left)
    assert (resealed.rows, resealed.broken, resealed.left) == (1, 1, 1)
    assert accounts.account(one) is not None


def test_every_column_that_is_sealed_is_resealed(superuser: Database) -> None:
    columns = superuser.rows(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'user_service' AND column_name LIKE '%\\_sealed'"
    )
    known = {(table.name, column) for table in TABLES for column in table.columns}
    assert {(row["table_name"], row["column_name"]) for row in columns} == known


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_values_of_older_keys_are_found_by_an_index(superuser: Database, table: SealedTable) -> None:
    with superuser.transaction() as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = connection.execute(
            f"EXPLAIN SELECT FROM user_service.{table.name} WHERE {table.oldest} < '\\x0100000002'"
        ).fetchall()
    assert "oldest_seal" in str(plan)
