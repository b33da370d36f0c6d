"""One person, one account; one address, one account: Postgres decides, even between concurrent requests."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from common.domain.clock import new_id
from common.domain.ids import UserId
from common.domain.shared_errors import DomainError
from common.stores.postgres import Database
from functions.auth.adapters.account_repository import AccountRepository
from functions.auth.domain.account import Account, Agreement, NewAccount, Role
from functions.auth.domain.errors import EmailTaken, IdentityNotVerified, IdentityTaken
from tests.support.concurrently import concurrently
from tests.support.fakes.in_memory_vault import in_memory_vault

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)
AGREED = (Agreement("TERMS_OF_SERVICE", "1", agreed=True), Agreement("PRIVACY", "2", agreed=False))


def someone(
    email: str = "hong@example.com",
    ci: str = "ci-of-hong",
    agreements: tuple[Agreement, ...] = AGREED,
    verification: str | None = None,
) -> NewAccount:
    account = Account(UserId(new_id()), email, "홍길동", "01012345678", Role.USER, NOW)
    return NewAccount(account, ci, "a hash", agreements, verification)


@pytest.fixture
def accounts(database_of: Callable[[str], Database]) -> AccountRepository:
    return AccountRepository(database_of("user_service"), in_memory_vault())


@pytest.mark.parametrize(
    ("applications", "taken"),
    [
        ([someone(email=f"hong{n}@example.com") for n in range(6)], IdentityTaken),
        ([someone(ci=f"ci-{n}") for n in range(6)], EmailTaken),
        ([someone(email=email, ci=email) for email in ("A@b.co", "a@b.co", "a@B.co", "A@B.CO")], EmailTaken),
        ([someone(f"hong{n}@example.com", verification="one") for n in range(6)], IdentityTaken),
        ([someone(f"hong{n}@example.com", f"ci-{n}", verification="one") for n in range(6)], IdentityNotVerified),
    ],
)
def test_of_equal_registrations_at_once_exactly_one_succeeds(
    database_of: Callable[[str], Database],
    superuser: Database,
    applications: list[NewAccount],
    taken: type[DomainError],
) -> None:
    stores = [AccountRepository(database_of("user_service"), in_memory_vault()) for _ in applications]
    outcomes = concurrently([partial(store.add, new) for store, new in zip(stores, applications, strict=True)])
    errors = [outcome for outcome in outcomes if outcome is not None]
    assert len(errors) == len(applications) - 1
    assert {type(rejection) for rejection in errors if isinstance(rejection, DomainError)} == {taken}
    (row,) = superuser.rows("SELECT id FROM user_service.users")
    assert {each["user_id"] for each in superuser.rows("SELECT user_id FROM user_service.agreements")} == {row["id"]}


def test_an_account_is_stored_with_each_agreement_its_version_and_its_time(
    accounts: AccountRepository, superuser: Database
) -> None:
    new = someone("Hong@Example.com")
    accounts.add(new)
    assert accounts.account(new.account.id) == new.account
    rows = superuser.rows("SELECT code, version, agreed, agreed_at FROM user_service.agreements ORDER BY code")
    assert [tuple(row.values()) for row in rows] == [
        ("PRIVACY", "2", False, NOW),
        ("TERMS_OF_SERVICE", "1", True, NOW),
    ]


def test_an_account_is_not_stored_without_its_agreements(accounts: AccountRepository, superuser: Database) -> None:
    with pytest.raises(Exception, match="agreements_pkey"):
        accounts.add(someone(agreements=AGREED * 2))
    assert superuser.rows("SELECT id FROM user_service.users") == []


def test_an_address_is_found_in_any_case(accounts: AccountRepository) -> None:
    new = someone("Hong@Example.com")
    accounts.add(new)
    found = accounts.credentials("hONG@example.COM")
    assert found is not None
    assert (found.user_id, found.role, found.password_hash) == (new.account.id, Role.USER, "a hash")
    assert accounts.credentials("nobody@example.com") is None
    assert accounts.account(UserId(new_id())) is None


def test_the_error_quotes_neither_the_address_nor_the_person(accounts: AccountRepository) -> None:
    accounts.add(someone())
    with pytest.raises(DomainError) as error:
        accounts.add(someone())
    assert error.value.__suppress_context__
    assert type(error.value) is EmailTaken
    assert not error.value.details


def destroy(superuser: Database) -> None:
    """Make every account what is left of it after the retention time (AUTH-018)."""
    with superuser.transaction() as connection:
        connection.execute(
            """
            UPDATE user_service.users
               SET status = 'WITHDRAWN', withdrawn_at = now(), password_hash = NULL, email_hash = NULL, ci_hash = NULL,
                   email_sealed = NULL, name_sealed = NULL, phone_sealed = NULL, ci_sealed = NULL
            """
        )


def test_a_spent_verification_opens_no_second_account(accounts: AccountRepository, superuser: Database) -> None:
    accounts.add(someone(verification="one"))
    destroy(superuser)
    with pytest.raises(DomainError) as error:
        accounts.add(someone(verification="one"))
    assert type(error.value) is IdentityNotVerified
    assert accounts.credentials("hong@example.com") is None
    accounts.add(someone(verification="two"))
    assert accounts.credentials("hong@example.com") is not None


def test_an_edit_changes_only_the_given_fields(accounts: AccountRepository) -> None:
    new = someone("Hong@Example.com")
    accounts.add(new)
    renamed = accounts.update(new.account.id, name="Gildong")
    assert renamed == replace(new.account, name="Gildong")
    moved = accounts.update(new.account.id, phone="010-9999-8888")
    assert moved == accounts.account(new.account.id) == replace(new.account, name="Gildong", phone="010-9999-8888")


def test_a_withdrawn_account_is_not_found_but_its_address_and_person_stay_taken(
    accounts: AccountRepository, superuser: Database
) -> None:
    new = someone()
    accounts.add(new)
    with superuser.transaction() as connection:
        connection.execute("UPDATE user_service.users SET status = 'WITHDRAWN', withdrawn_at = now()")
    assert accounts.credentials("hong@example.com") is None
    assert accounts.account(new.account.id) is None
    assert accounts.update(new.account.id, name="Gildong") is None
    with pytest.raises(DomainError, match="EMAIL_TAKEN"):
        accounts.add(someone(ci="another"))
    with pytest.raises(DomainError, match="IDENTITY_TAKEN"):
        accounts.add(someone(email="another@example.com"))
