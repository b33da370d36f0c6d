"""A changed password, a reset one and a withdrawal end the sessions they should, whatever else happens meanwhile, on a
real Postgres and Redis (AUTH-015, AUTH-016, AUTH-018)."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest

from common.domain.clock import new_id
from common.domain.shared_errors import DomainError, TokenInvalid
from common.stores.postgres import Database
from common.stores.redis import REDIS_FAILURES, Client, connect
from functions.auth.adapters.spent_verification_repository import spend
from functions.auth.adapters.token_blacklist_redis import Blacklist
from functions.auth.domain.account import Role
from functions.auth.domain.errors import EmailTaken, IdentityNotVerified, IdentityTaken, InvalidCredentials
from functions.auth.usecases.password_reset import Proof
from functions.auth.usecases.session_ending_changes import AccountChanges
from functions.auth.usecases.sessions import TokenPair
from tests.concurrently import concurrently
from tests.session_desk import START, Desk, live_tokens, pairs, session_of
from tests.vault_in_memory import vault_in_memory

VAULT = vault_in_memory()
NewDesk = Callable[[], Desk]


@pytest.fixture
def user(desk: Desk) -> UUID:
    return desk.join()


def open_session(desk: Desk, user: UUID) -> TokenPair:
    return desk.sessions.open(user, Role.USER, "a hash")


def change(desk: Desk, user: UUID, session: UUID, old: str = "a hash", new: str = "a new hash") -> bool:
    return desk.changes.change_password(user, old, new, session, desk.now)


def proof(email: str = "hong@example.com", ci: str = "ci of hong@example.com", verification: str = "v-1") -> Proof:
    kinds = ("email", email), ("ci", ci), ("identity-verification", verification)
    return Proof(*(VAULT.lookup(kind, text) for kind, text in kinds))


def password_hash(superuser: Database) -> object:
    (row,) = superuser.rows("SELECT password_hash FROM user_service.users")
    return row["password_hash"]


def test_no_other_session_renewed_while_the_password_changes_outlives_the_change(
    new_desk: NewDesk, superuser: Database
) -> None:
    here, there = new_desk(), new_desk()
    for attempt in range(30):
        user = here.join(f"{attempt}@example.com")
        mine, other = open_session(here, user), open_session(here, user)
        race: list[Callable[[], object]] = [
            partial(change, here, user, session_of(mine)),
            partial(there.sessions.renew, other.refresh_token),
        ]
        changed, renewed = concurrently(race)
        assert changed is True
        assert isinstance(renewed, TokenPair | DomainError)
        assert not any(map(here.admits, [other, *pairs([renewed])]))
        assert here.admits(mine)
        assert here.sessions.renew(mine.refresh_token)
        assert live_tokens(superuser) == attempt + 1


def test_no_sign_in_with_the_old_password_while_it_changes_outlives_the_change(
    new_desk: NewDesk, superuser: Database
) -> None:
    here, there = new_desk(), new_desk()
    for attempt in range(30):
        user = here.join(f"{attempt}@example.com")
        mine = open_session(here, user)
        race: list[Callable[[], object]] = [
            partial(change, here, user, session_of(mine)),
            partial(open_session, there, user),
        ]
        changed, signed_in = concurrently(race)
        assert changed is True
        assert pairs([signed_in]) or isinstance(signed_in, InvalidCredentials)
        assert not any(map(here.admits, pairs([signed_in])))
        assert live_tokens(superuser) == attempt + 1


def test_nothing_begun_or_renewed_while_the_account_is_withdrawn_outlives_it(
    new_desk: NewDesk, superuser: Database
) -> None:
    here, there, elsewhere = new_desk(), new_desk(), new_desk()
    for attempt in range(30):
        user = here.join(f"{attempt}@example.com")
        old = open_session(here, user)
        race: list[Callable[[], object]] = [
            partial(here.changes.withdraw, user, "a hash", here.now),
            partial(there.sessions.renew, old.refresh_token),
            partial(open_session, elsewhere, user),
        ]
        withdrawn, *others = concurrently(race)
        assert withdrawn is True
        assert live_tokens(superuser) == 0
        assert not any(map(here.admits, [old, *pairs(others)]))
        refusals = {type(outcome) for outcome in others if isinstance(outcome, DomainError)}
        assert refusals <= {TokenInvalid, InvalidCredentials}
        assert len(refusals) + len(pairs(others)) == 2


def test_of_changes_of_one_password_at_once_exactly_one_is_made(
    new_desk: NewDesk, desk: Desk, superuser: Database, user: UUID
) -> None:
    session = session_of(open_session(desk, user))
    outcomes = concurrently([partial(change, new_desk(), user, session, new=f"hash {n}") for n in range(6)])
    assert sorted(map(str, outcomes)) == ["False"] * 5 + ["True"]
    assert password_hash(superuser) == f"hash {outcomes.index(True)}"


def test_a_verification_resets_a_password_once_however_many_try_at_once(
    new_desk: NewDesk, superuser: Database, user: UUID
) -> None:
    desks = [new_desk() for _ in range(6)]
    outcomes = concurrently(
        [partial(desk.changes.reset_password, user, f"hash {n}", proof(), desk.now) for n, desk in enumerate(desks)]
    )
    refusals = [type(outcome) for outcome in outcomes if isinstance(outcome, DomainError)]
    assert refusals == [IdentityNotVerified] * 5
    assert password_hash(superuser) == f"hash {outcomes.index(True)}"


def test_a_reset_password_ends_every_session(desk: Desk, superuser: Database, user: UUID) -> None:
    here, there = open_session(desk, user), open_session(desk, user)
    assert desk.changes.owner(proof()) == user
    assert desk.changes.reset_password(user, "a new hash", proof(), desk.now)
    assert live_tokens(superuser) == 0
    assert not any(map(desk.admits, [here, there]))
    assert desk.sessions.open(user, Role.USER, "a new hash")


@pytest.mark.parametrize(
    "shown",
    [proof(email="nobody@example.com"), proof(ci="another's ci"), proof(email="lee@example.com")],
)
def test_only_the_accounts_own_person_is_its_owner(desk: Desk, user: UUID, shown: Proof) -> None:
    desk.join("lee@example.com")
    assert desk.changes.owner(proof(email="HONG@example.com")) == user
    assert desk.changes.owner(shown) is None


@pytest.mark.parametrize("purpose", ["register", "reset"])
def test_a_verification_that_served_before_resets_nothing(
    desk: Desk, superuser: Database, user: UUID, purpose: str
) -> None:
    with superuser.transaction() as connection:
        spend(connection, proof().identity_verification, purpose, START)  # type: ignore[arg-type]
    assert desk.changes.owner(proof()) is None
    assert desk.changes.owner(proof(verification="v-2")) == user


def test_a_withdrawn_account_is_nobodys_but_its_address_and_its_person_stay_taken(desk: Desk, user: UUID) -> None:
    assert desk.changes.withdraw(user, "a hash", desk.now)
    assert not desk.changes.withdraw(user, "a hash", desk.now)
    assert desk.changes.owner(proof()) is None
    assert desk.changes.password_hash(user) is None
    assert desk.accounts.credentials("hong@example.com") is None
    assert desk.accounts.account(user) is None
    assert not desk.changes.reset_password(user, "a new hash", proof(), desk.now)
    assert not change(desk, user, new_id())
    for email, ci, taken in [
        ("HONG@example.com", "new", EmailTaken),
        ("new@a.co", "ci of hong@example.com", IdentityTaken),
    ]:
        with pytest.raises(DomainError) as refusal:
            desk.join(email, ci)
        assert type(refusal.value) is taken


def test_nothing_changes_with_a_password_that_is_not_the_accounts(desk: Desk, superuser: Database, user: UUID) -> None:
    pair = open_session(desk, user)
    assert not change(desk, user, new_id(), old="another hash")
    assert not desk.changes.withdraw(user, "another hash", desk.now)
    assert password_hash(superuser) == "a hash"
    assert desk.admits(pair)
    assert desk.sessions.renew(pair.refresh_token)


@pytest.mark.parametrize("what", ["change", "withdraw", "reset"])
def test_while_redis_is_away_nothing_is_changed_and_nothing_spent(
    desk: Desk, database_of: Callable[[str], Database], superuser: Database, user: UUID, what: str
) -> None:
    pair = open_session(desk, user)
    away = AccountChanges(database_of("user_service"), Blacklist(connect("redis://127.0.0.1:9", cluster=False)))
    attempts: dict[str, Callable[[], bool]] = {
        "change": lambda: away.change_password(user, "a hash", "a new hash", new_id(), START),
        "withdraw": lambda: away.withdraw(user, "a hash", START),
        "reset": lambda: away.reset_password(user, "a new hash", proof(), START),
    }
    with pytest.raises(REDIS_FAILURES):
        attempts[what]()
    assert superuser.rows("SELECT status, password_hash FROM user_service.users") == [
        {"status": "ACTIVE", "password_hash": "a hash"}
    ]
    assert superuser.rows("SELECT 1 FROM user_service.spent_identity_verifications") == []
    assert desk.sessions.renew(pair.refresh_token)


def test_nobody_elses_sessions_end(desk: Desk, redis: Client, user: UUID) -> None:
    lee = desk.join("lee@example.com")
    pair = open_session(desk, lee)
    assert change(desk, user, new_id())
    assert desk.changes.reset_password(user, "a hash", proof(), desk.now)
    assert desk.changes.withdraw(user, "a hash", desk.now)
    assert desk.admits(pair)
    assert desk.sessions.renew(pair.refresh_token)
    assert redis.dbsize() == 0
