"""A password change, a reset and a withdrawal end the right sessions despite concurrent requests, on a real Postgres
and Redis (AUTH-015, AUTH-016, AUTH-018)."""

from collections.abc import Callable
from functools import partial

import pytest

from common.domain.clock import new_id
from common.domain.ids import SessionId, UserId
from common.domain.shared_errors import DomainError, TokenInvalid
from common.stores.postgres import Database
from common.stores.redis import REDIS_FAILURES, Client, connect
from functions.auth.adapters.spent_verification_repository import spend
from functions.auth.adapters.token_blacklist_redis import TokenBlacklist
from functions.auth.domain.account import OwnershipProof, Role
from functions.auth.domain.errors import EmailTaken, IdentityNotVerified, IdentityTaken, InvalidCredentials
from functions.auth.domain.session import TokenPair
from functions.auth.usecases.session_ending_changes import SessionEndingChanges
from tests.support.concurrently import concurrently
from tests.support.fakes.in_memory_vault import in_memory_vault
from tests.support.fixtures.auth_service import START, AuthService, live_tokens, pairs, session_of

VAULT = in_memory_vault()
NewService = Callable[[], AuthService]


@pytest.fixture
def user(service: AuthService) -> UserId:
    return service.register()


def open_session(service: AuthService, user: UserId) -> TokenPair:
    return service.sessions.open(user, Role.USER, "a hash")


def change(
    service: AuthService, user: UserId, session: SessionId, old: str = "a hash", new: str = "a new hash"
) -> bool:
    return service.changes.change_password(user, old, new, session, service.now)


def proof(
    email: str = "hong@example.com", ci: str = "ci of hong@example.com", verification: str = "v-1"
) -> OwnershipProof:
    kinds = ("email", email), ("ci", ci), ("identity-verification", verification)
    return OwnershipProof(*(VAULT.lookup(kind, text) for kind, text in kinds))


def password_hash(superuser: Database) -> object:
    (row,) = superuser.rows("SELECT password_hash FROM user_service.users")
    return row["password_hash"]


def test_another_session_renewed_during_a_password_change_is_ended(
    new_service: NewService, superuser: Database
) -> None:
    first, second = new_service(), new_service()
    for attempt in range(30):
        user = first.register(f"{attempt}@example.com")
        own_session, other_session = open_session(first, user), open_session(first, user)
        race: list[Callable[[], object]] = [
            partial(change, first, user, session_of(own_session)),
            partial(second.sessions.renew, other_session.refresh_token),
        ]
        changed, renewed = concurrently(race)
        assert changed is True
        assert isinstance(renewed, TokenPair | DomainError)
        assert not any(map(first.accepts, [other_session, *pairs([renewed])]))
        assert first.accepts(own_session)
        assert first.sessions.renew(own_session.refresh_token)
        assert live_tokens(superuser) == attempt + 1


def test_a_login_with_the_old_password_during_its_change_is_ended(new_service: NewService, superuser: Database) -> None:
    first, second = new_service(), new_service()
    for attempt in range(30):
        user = first.register(f"{attempt}@example.com")
        own_session = open_session(first, user)
        race: list[Callable[[], object]] = [
            partial(change, first, user, session_of(own_session)),
            partial(open_session, second, user),
        ]
        changed, logged_in = concurrently(race)
        assert changed is True
        assert pairs([logged_in]) or isinstance(logged_in, InvalidCredentials)
        assert not any(map(first.accepts, pairs([logged_in])))
        assert live_tokens(superuser) == attempt + 1


def test_a_session_opened_or_renewed_during_a_withdrawal_is_ended(new_service: NewService, superuser: Database) -> None:
    first, second, third = new_service(), new_service(), new_service()
    for attempt in range(30):
        user = first.register(f"{attempt}@example.com")
        old = open_session(first, user)
        race: list[Callable[[], object]] = [
            partial(first.changes.withdraw, user, "a hash", first.now),
            partial(second.sessions.renew, old.refresh_token),
            partial(open_session, third, user),
        ]
        withdrawn, *others = concurrently(race)
        assert withdrawn is True
        assert live_tokens(superuser) == 0
        assert not any(map(first.accepts, [old, *pairs(others)]))
        errors = {type(outcome) for outcome in others if isinstance(outcome, DomainError)}
        assert errors <= {TokenInvalid, InvalidCredentials}
        assert len(errors) + len(pairs(others)) == 2


def test_of_changes_of_one_password_at_once_exactly_one_succeeds(
    new_service: NewService, service: AuthService, superuser: Database, user: UserId
) -> None:
    session = session_of(open_session(service, user))
    outcomes = concurrently([partial(change, new_service(), user, session, new=f"hash {n}") for n in range(6)])
    assert sorted(map(str, outcomes)) == ["False"] * 5 + ["True"]
    assert password_hash(superuser) == f"hash {outcomes.index(True)}"


def test_a_verification_resets_a_password_once_even_in_parallel(
    new_service: NewService, superuser: Database, user: UserId
) -> None:
    services = [new_service() for _ in range(6)]
    outcomes = concurrently(
        [
            partial(service.changes.reset_password, user, f"hash {n}", proof(), service.now)
            for n, service in enumerate(services)
        ]
    )
    errors = [type(outcome) for outcome in outcomes if isinstance(outcome, DomainError)]
    assert errors == [IdentityNotVerified] * 5
    assert password_hash(superuser) == f"hash {outcomes.index(True)}"


def test_a_reset_password_ends_every_session(service: AuthService, superuser: Database, user: UserId) -> None:
    first, second = open_session(service, user), open_session(service, user)
    assert service.states.owner(proof()) == user
    assert service.changes.reset_password(user, "a new hash", proof(), service.now)
    assert live_tokens(superuser) == 0
    assert not any(map(service.accepts, [first, second]))
    assert service.sessions.open(user, Role.USER, "a new hash")


@pytest.mark.parametrize(
    "claimed",
    [proof(email="nobody@example.com"), proof(ci="another's ci"), proof(email="lee@example.com")],
)
def test_only_the_registered_person_owns_the_account(
    service: AuthService, user: UserId, claimed: OwnershipProof
) -> None:
    service.register("lee@example.com")
    assert service.states.owner(proof(email="HONG@example.com")) == user
    assert service.states.owner(claimed) is None


@pytest.mark.parametrize("purpose", ["register", "reset"])
def test_a_spent_verification_resets_no_password(
    service: AuthService, superuser: Database, user: UserId, purpose: str
) -> None:
    with superuser.transaction() as connection:
        spend(connection, proof().identity_verification, purpose, START)  # type: ignore[arg-type]
    assert service.states.owner(proof()) is None
    assert service.states.owner(proof(verification="v-2")) == user


def test_a_withdrawn_account_has_no_owner_but_its_address_and_person_stay_taken(
    service: AuthService, user: UserId
) -> None:
    assert service.changes.withdraw(user, "a hash", service.now)
    assert not service.changes.withdraw(user, "a hash", service.now)
    assert service.states.owner(proof()) is None
    assert service.states.password_hash(user) is None
    assert service.accounts.credentials("hong@example.com") is None
    assert service.accounts.account(user) is None
    assert not service.changes.reset_password(user, "a new hash", proof(), service.now)
    assert not change(service, user, SessionId(new_id()))
    for email, ci, taken in [
        ("HONG@example.com", "new", EmailTaken),
        ("new@a.co", "ci of hong@example.com", IdentityTaken),
    ]:
        with pytest.raises(DomainError) as error:
            service.register(email, ci)
        assert type(error.value) is taken


def test_a_wrong_password_hash_changes_nothing(service: AuthService, superuser: Database, user: UserId) -> None:
    pair = open_session(service, user)
    assert not change(service, user, SessionId(new_id()), old="another hash")
    assert not service.changes.withdraw(user, "another hash", service.now)
    assert password_hash(superuser) == "a hash"
    assert service.accepts(pair)
    assert service.sessions.renew(pair.refresh_token)


@pytest.mark.parametrize("operation", ["change", "withdraw", "reset"])
def test_while_redis_is_unavailable_nothing_is_changed_or_spent(
    service: AuthService, database_of: Callable[[str], Database], superuser: Database, user: UserId, operation: str
) -> None:
    pair = open_session(service, user)
    changes = SessionEndingChanges(
        database_of("user_service"),
        service.states,
        service.records,
        TokenBlacklist(connect("redis://127.0.0.1:9", cluster=False)),
    )
    attempts: dict[str, Callable[[], bool]] = {
        "change": lambda: changes.change_password(user, "a hash", "a new hash", SessionId(new_id()), START),
        "withdraw": lambda: changes.withdraw(user, "a hash", START),
        "reset": lambda: changes.reset_password(user, "a new hash", proof(), START),
    }
    with pytest.raises(REDIS_FAILURES):
        attempts[operation]()
    assert superuser.rows("SELECT status, password_hash FROM user_service.users") == [
        {"status": "ACTIVE", "password_hash": "a hash"}
    ]
    assert superuser.rows("SELECT 1 FROM user_service.spent_identity_verifications") == []
    assert service.sessions.renew(pair.refresh_token)


def test_other_users_sessions_stay_open(service: AuthService, redis: Client, user: UserId) -> None:
    lee = service.register("lee@example.com")
    pair = open_session(service, lee)
    assert change(service, user, SessionId(new_id()))
    assert service.changes.reset_password(user, "a hash", proof(), service.now)
    assert service.changes.withdraw(user, "a hash", service.now)
    assert service.accepts(pair)
    assert service.sessions.renew(pair.refresh_token)
    assert redis.dbsize() == 0
