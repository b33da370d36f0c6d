"""A mistyped address is corrected by the verified person only, whatever happens at the same time, on a real Postgres
and Redis (AUTH-023)."""

from collections.abc import Callable
from functools import partial

import pytest

from common.domain.ids import UserId
from common.domain.shared_errors import TokenInvalid
from common.stores.postgres import Database
from functions.auth.adapters.dormant_data_repository import separate
from functions.auth.domain.account import Role
from functions.auth.domain.errors import EmailTaken, IdentityNotVerified
from functions.auth.domain.verified_person import VerifiedPerson
from functions.auth.usecases.email_correction import EmailCorrection
from tests.support.concurrently import concurrently
from tests.support.fakes.in_memory_vault import in_memory_vault
from tests.support.fixtures.auth_service import AuthService, live_tokens

VAULT = in_memory_vault()
NewService = Callable[[], AuthService]
MISTYPED, RIGHT = "hong@exmaple.com", "hong@example.com"


class People:
    """PortOne: the id of a verification begins with the name of the person, who has the CI `ci of <name>`."""

    def person(self, verification_id: str) -> VerifiedPerson | None:
        name = verification_id.partition("-")[0]
        return {"unknown": None, "noci": VerifiedPerson("x", None, None)}.get(
            name, VerifiedPerson(name, None, f"ci of {name}")
        )


def correct(service: AuthService, email: str = RIGHT, verification: str = "hong-1") -> None:
    EmailCorrection(People(), service.states, service.changes, VAULT, VAULT.lookup, lambda: service.now).correct(
        email, verification
    )


@pytest.fixture
def user(service: AuthService) -> UserId:
    return service.register(MISTYPED, "ci of hong")


def address(service: AuthService, user: UserId) -> str:
    account = service.accounts.account(user)
    assert account is not None
    return account.email


def test_of_a_correction_and_a_confirmation_of_the_old_address_one_takes_effect(
    new_service: NewService, superuser: Database
) -> None:
    for attempt in range(30):
        one, other = new_service(), new_service()
        user = one.register(f"{attempt}@exmaple.com", "ci of hong")
        mistyped = VAULT.lookup("email", f"{attempt}@exmaple.com")
        outcome, _ = concurrently(
            [
                partial(correct, one, verification=f"hong-{attempt}"),
                partial(other.states.confirm_email, user, mistyped, other.now),
            ]
        )
        account = one.accounts.account(user)
        assert account is not None
        if outcome is None:
            assert (account.email, account.email_verified) == (RIGHT, False)
        else:
            assert isinstance(outcome, IdentityNotVerified)
            assert (account.email, account.email_verified) == (f"{attempt}@exmaple.com", True)
        with superuser.transaction() as connection:
            connection.execute("DELETE FROM user_service.users")


def test_of_two_people_who_take_one_address_at_once_one_gets_it(new_service: NewService, superuser: Database) -> None:
    services = [new_service(), new_service()]
    for name, service in zip(("hong", "lee"), services, strict=True):
        service.register(f"{name}@exmaple.com", f"ci of {name}")
    outcomes = concurrently(
        [partial(correct, services[0], RIGHT, "hong-1"), partial(correct, services[1], RIGHT, "lee-1")]
    )
    assert sorted(map(repr, map(type, outcomes))) == sorted(map(repr, [type(None), EmailTaken]))
    assert len(superuser.rows("SELECT 1 FROM user_service.spent_identity_verifications")) == 1


def test_the_verified_person_logs_in_with_the_corrected_address_and_every_session_has_ended(
    service: AuthService, superuser: Database, user: UserId
) -> None:
    pair = service.sessions.open(user, Role.USER)
    correct(service)
    assert address(service, user) == RIGHT
    assert service.accounts.credentials(MISTYPED) is None
    credentials = service.accounts.credentials(RIGHT)
    assert credentials is not None
    assert credentials.user_id == user
    assert not service.accepts(pair)
    assert service.rejection(pair.refresh_token) is TokenInvalid
    assert live_tokens(superuser) == 0


@pytest.mark.parametrize("verification", ["lee-1", "unknown-1", "noci-1"])
def test_another_person_cannot_correct_the_address(service: AuthService, user: UserId, verification: str) -> None:
    pair = service.sessions.open(user, Role.USER)
    with pytest.raises(IdentityNotVerified):
        correct(service, verification=verification)
    assert address(service, user) == MISTYPED
    assert service.accepts(pair)


def test_a_verification_corrects_once(service: AuthService, user: UserId) -> None:
    correct(service)
    with pytest.raises(IdentityNotVerified):
        correct(service, "another@example.com")
    assert address(service, user) == RIGHT
    correct(service, "another@example.com", "hong-2")
    assert address(service, user) == "another@example.com"


def test_a_verified_address_and_a_withdrawn_account_are_not_changed(service: AuthService, user: UserId) -> None:
    service.states.confirm_email(user, VAULT.lookup("email", MISTYPED), service.now)
    with pytest.raises(IdentityNotVerified):
        correct(service)
    withdrawn = service.register("lee@exmaple.com", "ci of lee")
    assert service.changes.withdraw(withdrawn, "a hash", service.now)
    with pytest.raises(IdentityNotVerified):
        correct(service, verification="lee-1")


def test_an_address_of_another_account_is_taken_and_nothing_is_spent(service: AuthService, user: UserId) -> None:
    service.register(RIGHT, "ci of lee")
    with pytest.raises(EmailTaken):
        correct(service)
    correct(service, "hong2@example.com")  # with the same verification
    assert address(service, user) == "hong2@example.com"


def test_the_address_of_a_dormant_account_is_corrected_too(
    service: AuthService, superuser: Database, user: UserId
) -> None:
    with superuser.transaction() as connection:
        separate(connection, [user], service.now)
    correct(service)
    service.sessions.open(user, Role.USER)  # wakes it
    assert address(service, user) == RIGHT
