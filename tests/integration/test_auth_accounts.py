"""One account per person and per e-mail address: Postgres ensures it, even for concurrent requests."""

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


def new_account(
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
    ("registrations", "expected_error"),
    [
        ([new_account(email=f"hong{n}@example.com") for n in range(6)], IdentityTaken),
        ([new_account(ci=f"ci-{n}") for n in range(6)], EmailTaken),
        ([new_account(email=email, ci=email) for email in ("A@b.co", "a@b.co", "a@B.co", "A@B.CO")], EmailTaken),
        ([new_account(f"hong{n}@example.com", verification="one") for n in range(6)], IdentityTaken),
        ([new_account(f"hong{n}@example.com", f"ci-{n}", verification="one") for n in range(6)], IdentityNotVerified),
    ],
)
def test_of_concurrent_duplicate_registrations_exactly_one_succeeds(
    database_of: Callable[[str], Database],
    superuser: Database,
    registrations: list[NewAccount],
    expected_error: type[DomainError],
) -> None:
    repositories = [AccountRepository(database_of("user_service"), in_memory_vault()) for _ in registrations]
    outcomes = concurrently(
        [partial(repository.add, new) for repository, new in zip(repositories, registrations, strict=True)]
    )
    errors = [outcome for outcome in outcomes if outcome is not None]
    assert len(errors) == len(registrations) - 1
    assert {type(error) for error in errors if isinstance(error, DomainError)} == {expected_error}
    (row,) = superuser.rows("SELECT id FROM user_service.users")
    assert {each["user_id"] for each in superuser.rows("SELECT user_id FROM user_service.agreements")} == {row["id"]}


def test_an_account_is_stored_with_each_agreement_its_version_and_its_time(
    accounts: AccountRepository, superuser: Database
) -> None:
    new = new_account("Hong@Example.com")
    accounts.add(new)
    assert accounts.account(new.account.id) == new.account
    rows = superuser.rows("SELECT code, version, agreed, agreed_at FROM user_service.agreements ORDER BY code")
    assert [tuple(row.values()) for row in rows] == [
        ("PRIVACY", "2", False, NOW),
        ("TERMS_OF_SERVICE", "1", True, NOW),
    ]


def test_an_account_is_not_stored_without_its_agreements(accounts: AccountRepository, superuser: Database) -> None:
    with pytest.raises(Exception, match="agreements_pkey"):
        accounts.add(new_account(agreements=AGREED * 2))
    assert superuser.rows("SELECT id FROM user_service.users") == []


def test_an_email_address_is_found_in_any_letter_case(accounts: AccountRepository) -> None:
    new = new_account("Hong@Example.com")
    accounts.add(new)
    found = accounts.credentials("hONG@example.COM")
    assert found is not None
    assert (found.user_id, found.role, found.password_hash) == (new.account.id, Role.USER, "a hash")
    assert accounts.credentials("nobody@example.com") is None
    assert accounts.account(UserId(new_id())) is None


def test_the_error_contains_neither_the_address_nor_the_person(accounts: AccountRepository) -> None:
    accounts.add(new_account())
    with pytest.raises(DomainError) as error:
        accounts.add(new_account())
    assert error.value.__suppress_context__
    assert type(error.value) is EmailTaken
    assert not error.value.details


def destroy_accounts(superuser: Database) -> None:
    """Reduces every account to what is kept after the retention time (AUTH-018)."""
    with superuser.transaction() as connection:
        connection.execute(
            """
            UPDATE user_service.users
               SET status = 'WITHDRAWN', withdrawn_at = now(), password_hash = NULL, email_hash = NULL, ci_hash = NULL,
                   email_sealed = NULL, name_sealed = NULL, phone_sealed = NULL, ci_sealed = NULL
            """
        )


def test_a_spent_verification_creates_no_second_account(accounts: AccountRepository, superuser: Database) -> None:
    accounts.add(new_account(verification="one"))
    destroy_accounts(superuser)
    with pytest.raises(DomainError) as error:
        accounts.add(new_account(verification="one"))
    assert type(error.value) is IdentityNotVerified
    assert accounts.credentials("hong@example.com") is None
    accounts.add(new_account(verification="two"))
    assert accounts.credentials("hong@example.com") is not None


def test_an_edit_changes_only_the_given_fields(accounts: AccountRepository) -> None:
    new = new_account("Hong@Example.com")
    accounts.add(new)
    renamed = accounts.update(new.account.id, name="Gildong")
    assert renamed == replace(new.account, name="Gildong")
    moved = accounts.update(new.account.id, phone="010-9999-8888")
    assert moved == accounts.account(new.account.id) == replace(new.account, name="Gildong", phone="010-9999-8888")


def test_a_withdrawn_account_is_not_found_but_its_address_and_person_stay_taken(
    accounts: AccountRepository, superuser: Database
) -> None:
    new = new_account()
    accounts.add(new)
    with superuser.transaction() as connection:
        connection.execute("UPDATE user_service.users SET status = 'WITHDRAWN', withdrawn_at = now()")
    assert accounts.credentials("hong@example.com") is None
    assert accounts.account(new.account.id) is None
    assert accounts.update(new.account.id, name="Gildong") is None
    with pytest.raises(DomainError, match="EMAIL_TAKEN"):
        accounts.add(new_account(ci="another"))
    with pytest.raises(DomainError, match="IDENTITY_TAKEN"):
        accounts.add(new_account(email="another@example.com"))
