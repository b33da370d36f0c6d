"""Refresh tokens on a real Postgres: each good once, and a spent one ends its whole family (AUTH-009)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from uuid import UUID

import pytest

from common.clock import new_id
from common.postgres import Database
from common.problem import TOKEN_EXPIRED, TOKEN_INVALID, Problem, Refusal
from common.redis import Client
from functions.auth.account import Account, NewAccount, Role
from functions.auth.account_store import AccountStore
from functions.auth.blacklist import Blacklist
from functions.auth.problems import TOKEN_REUSED
from functions.auth.session_store import SessionStore
from functions.auth.sessions import Sessions, TokenPair, token_hash
from functions.auth.sign_out import SignOut
from tests.concurrently import concurrently

START = datetime(2026, 5, 1, 11, tzinfo=UTC)
LIFE = timedelta(days=7)
NAMES = count()


class Signer:
    seconds = 3600

    def sign(self, user_id: UUID, role: Role, now: datetime) -> str:
        return f"{role} {user_id} at {now}"


class Desk:
    """The service over a connection of its own, and a clock to move."""

    def __init__(self, database: Database, redis: Client | None = None) -> None:
        self.now = START
        self.store = SessionStore(database)
        self.sessions = Sessions(self.store, Signer(), lambda: self.now, new_id, lambda: f"refresh-{next(NAMES)}", LIFE)
        if redis is not None:
            self.blacklist = Blacklist(redis)
            self.sign_out = SignOut(self.store, self.blacklist, lambda: self.now).sign_out

    def refused(self, refresh_token: str) -> Problem:
        with pytest.raises(Refusal) as refusal:
            self.sessions.renew(refresh_token)
        return refusal.value.problem


@pytest.fixture
def user(database_of: Callable[[str], Database]) -> UUID:
    account = Account(new_id(), "hong@example.com", "홍길동", None, Role.USER, START)
    AccountStore(database_of("user_service")).add(NewAccount(account, "ci", "a hash"))
    return account.id


@pytest.fixture
def desk(database_of: Callable[[str], Database], redis: Client) -> Desk:
    return Desk(database_of("user_service"), redis)


def live(superuser: Database) -> int:
    """How many refresh tokens can still be exchanged."""
    return len(superuser.rows("SELECT 1 FROM user_service.auth_tokens WHERE spent_at IS NULL AND revoked_at IS NULL"))


def test_of_renewals_at_once_with_one_token_exactly_one_wins_and_the_family_ends(
    database_of: Callable[[str], Database], superuser: Database, desk: Desk, user: UUID
) -> None:
    desks = [Desk(database_of("user_service")) for _ in range(6)]
    for _ in range(5):
        pair = desk.sessions.open(user, Role.USER)
        outcomes = concurrently([partial(each.sessions.renew, pair.refresh_token) for each in desks])
        (winner,) = (outcome for outcome in outcomes if isinstance(outcome, TokenPair))
        assert [outcome.problem for outcome in outcomes if isinstance(outcome, Refusal)] == [TOKEN_REUSED] * 5
        assert desk.refused(winner.refresh_token) is TOKEN_INVALID
        assert live(superuser) == 0


def test_no_successor_added_meanwhile_outlives_its_family(
    database_of: Callable[[str], Database], superuser: Database, desk: Desk, user: UUID
) -> None:
    owner, thief = Desk(database_of("user_service")), Desk(database_of("user_service"))
    for _ in range(30):
        spent = desk.sessions.open(user, Role.USER).refresh_token
        current = desk.sessions.renew(spent).refresh_token
        concurrently([partial(owner.sessions.renew, current), partial(thief.sessions.renew, spent)])
        assert live(superuser) == 0


def test_a_refresh_token_is_good_for_one_next_pair_with_the_role_of_today(
    desk: Desk, superuser: Database, user: UUID
) -> None:
    first = desk.sessions.open(user, Role.USER)
    with superuser.transaction() as connection:
        connection.execute("UPDATE user_service.users SET role = 'ADMIN'")
    desk.now += timedelta(hours=1)
    second = desk.sessions.renew(first.refresh_token)
    assert second.access_token == f"ADMIN {user} at {desk.now}"
    assert second.refresh_token != first.refresh_token
    assert desk.sessions.renew(second.refresh_token).expires_in == 3600


def test_a_spent_token_that_comes_back_ends_its_own_sign_in_and_no_other(desk: Desk, user: UUID) -> None:
    stolen, elsewhere = desk.sessions.open(user, Role.USER), desk.sessions.open(user, Role.USER)
    current = desk.sessions.renew(stolen.refresh_token)
    assert desk.refused(stolen.refresh_token) is TOKEN_REUSED
    assert desk.refused(current.refresh_token) is TOKEN_INVALID
    assert desk.sessions.renew(elsewhere.refresh_token)


def test_a_refresh_token_lives_for_its_week(desk: Desk, user: UUID) -> None:
    pair, late = desk.sessions.open(user, Role.USER), desk.sessions.open(user, Role.USER)
    desk.now += LIFE - timedelta(seconds=1)
    assert desk.sessions.renew(pair.refresh_token)
    desk.now += timedelta(seconds=1)
    assert desk.refused(late.refresh_token) is TOKEN_EXPIRED


def test_a_token_nobody_was_given_is_invalid(desk: Desk) -> None:
    assert desk.refused("no such token") is TOKEN_INVALID


def test_the_token_itself_is_nowhere_in_the_database(desk: Desk, superuser: Database, user: UUID) -> None:
    pair = desk.sessions.open(user, Role.USER)
    (row,) = superuser.rows("SELECT *, auth_tokens::text AS whole FROM user_service.auth_tokens")
    assert row["token_hash"] == token_hash(pair.refresh_token)
    assert pair.refresh_token not in row["whole"]


def test_signing_out_ends_the_session_and_the_access_token(desk: Desk, redis: Client, user: UUID) -> None:
    first = desk.sessions.open(user, Role.USER)
    current = desk.sessions.renew(first.refresh_token)
    desk.sign_out(user, "token-1", int(START.timestamp()) + 600, current.refresh_token)
    assert desk.refused(current.refresh_token) is TOKEN_INVALID
    assert desk.blacklist.holds("token-1")
    assert not desk.blacklist.holds("token-2")
    assert 595 <= int(redis.ttl("token:blacklist:{token-1}")) <= 600


def test_signing_out_with_anothers_refresh_token_does_them_no_harm(desk: Desk, user: UUID) -> None:
    pair = desk.sessions.open(user, Role.USER)
    desk.sign_out(new_id(), "token-1", int(START.timestamp()) + 600, pair.refresh_token)
    assert desk.sessions.renew(pair.refresh_token)
