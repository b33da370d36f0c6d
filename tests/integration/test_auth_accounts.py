"""One person, one account; one address, one account: decided by Postgres, however many ask at once."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest

from common.clock import new_id
from common.postgres import Database
from common.problem import Problem, Refusal
from functions.auth.account import Account, Agreement, NewAccount, Role
from functions.auth.account_store import AccountStore
from functions.auth.problems import EMAIL_TAKEN, IDENTITY_TAKEN
from tests.concurrently import concurrently

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)
AGREED = (Agreement("TERMS_OF_SERVICE", "1", agreed=True), Agreement("PRIVACY", "2", agreed=False))


def someone(
    email: str = "hong@example.com", ci: str = "ci-of-hong", agreements: tuple[Agreement, ...] = AGREED
) -> NewAccount:
    account = Account(new_id(), email, "홍길동", "01012345678", Role.USER, NOW)
    return NewAccount(account, ci, "a hash", agreements)


@pytest.fixture
def accounts(database_of: Callable[[str], Database]) -> AccountStore:
    return AccountStore(database_of("user_service"))


@pytest.mark.parametrize(
    ("applications", "taken"),
    [
        ([someone(email=f"hong{n}@example.com") for n in range(6)], IDENTITY_TAKEN),
        ([someone(ci=f"ci-{n}") for n in range(6)], EMAIL_TAKEN),
        ([someone(email=email, ci=email) for email in ("A@b.co", "a@b.co", "a@B.co", "A@B.CO")], EMAIL_TAKEN),
    ],
)
def test_of_those_who_register_the_same_at_once_exactly_one_gets_the_account(
    database_of: Callable[[str], Database], superuser: Database, applications: list[NewAccount], taken: Problem
) -> None:
    stores = [AccountStore(database_of("user_service")) for _ in applications]
    outcomes = concurrently([partial(store.add, new) for store, new in zip(stores, applications, strict=True)])
    refusals = [outcome for outcome in outcomes if outcome is not None]
    assert len(refusals) == len(applications) - 1
    assert {refusal.problem for refusal in refusals if isinstance(refusal, Refusal)} == {taken}
    (row,) = superuser.rows("SELECT id FROM user_service.users")
    assert {each["user_id"] for each in superuser.rows("SELECT user_id FROM user_service.agreements")} == {row["id"]}


def test_an_account_is_kept_with_each_agreement_its_version_and_its_time(
    accounts: AccountStore, superuser: Database
) -> None:
    new = someone("Hong@Example.com")
    accounts.add(new)
    assert accounts.account(new.account.id) == new.account
    rows = superuser.rows("SELECT code, version, agreed, agreed_at FROM user_service.agreements ORDER BY code")
    assert [tuple(row.values()) for row in rows] == [
        ("PRIVACY", "2", False, NOW),
        ("TERMS_OF_SERVICE", "1", True, NOW),
    ]


def test_an_account_whose_agreements_cannot_be_kept_is_not_kept_either(
    accounts: AccountStore, superuser: Database
) -> None:
    with pytest.raises(Exception, match="agreements_pkey"):
        accounts.add(someone(agreements=AGREED * 2))
    assert superuser.rows("SELECT id FROM user_service.users") == []


def test_an_address_is_found_in_any_case(accounts: AccountStore) -> None:
    new = someone("Hong@Example.com")
    accounts.add(new)
    found = accounts.credentials("hONG@example.COM")
    assert found is not None
    assert (found.user_id, found.role, found.password_hash) == (new.account.id, Role.USER, "a hash")
    assert accounts.credentials("nobody@example.com") is None
    assert accounts.account(new_id()) is None


def test_a_refusal_quotes_neither_the_address_nor_the_person(accounts: AccountStore) -> None:
    accounts.add(someone())
    with pytest.raises(Refusal) as refusal:
        accounts.add(someone())
    assert refusal.value.__suppress_context__
    assert refusal.value == EMAIL_TAKEN.refusal()
