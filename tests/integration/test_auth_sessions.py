"""Sessions on a real Postgres and Redis: each refresh token good once, and whatever ends a session ends all of it
(AUTH-008 to AUTH-010)."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest

from common.domain.shared_errors import DomainError, TokenExpired, TokenInvalid
from common.stores.postgres import Database
from common.stores.redis import Client
from functions.auth.domain.account import Role
from functions.auth.domain.errors import InvalidCredentials, TokenReused
from functions.auth.usecases.sessions import token_hash
from tests.concurrently import concurrently
from tests.session_desk import LIFE, START, Desk, RedisAway, live_tokens, pairs


@pytest.fixture
def user(desk: Desk) -> UUID:
    return desk.join()


def test_of_renewals_at_once_with_one_token_exactly_one_wins_and_the_session_ends(
    new_desk: Callable[[], Desk], superuser: Database, desk: Desk, user: UUID
) -> None:
    desks = [new_desk() for _ in range(6)]
    for _ in range(5):
        pair = desk.sessions.open(user, Role.USER)
        outcomes = concurrently([partial(each.sessions.renew, pair.refresh_token) for each in desks])
        (winner,) = pairs(outcomes)
        assert [type(outcome) for outcome in outcomes if isinstance(outcome, DomainError)] == [TokenReused] * 5
        assert desk.refused(winner.refresh_token) is TokenInvalid
        assert not desk.admits(pair)
        assert not desk.admits(winner)
        assert live_tokens(superuser) == 0


def test_no_successor_added_meanwhile_outlives_its_session(
    new_desk: Callable[[], Desk], superuser: Database, desk: Desk, user: UUID
) -> None:
    owner, thief = new_desk(), new_desk()
    for _ in range(30):
        spent = desk.sessions.open(user, Role.USER).refresh_token
        current = desk.sessions.renew(spent).refresh_token
        outcomes = concurrently([partial(owner.sessions.renew, current), partial(thief.sessions.renew, spent)])
        assert live_tokens(superuser) == 0
        assert not any(map(desk.admits, pairs(outcomes)))


def test_nothing_issued_while_its_session_signs_out_outlives_it(
    new_desk: Callable[[], Desk], superuser: Database, desk: Desk, user: UUID
) -> None:
    tab, other_tab = new_desk(), new_desk()
    for _ in range(30):
        pair = desk.sessions.open(user, Role.USER)
        tabs: list[Callable[[], object]] = [
            partial(tab.sign_out, pair),
            partial(other_tab.sessions.renew, pair.refresh_token),
        ]
        outcomes = concurrently(tabs)
        assert live_tokens(superuser) == 0
        assert not any(map(desk.admits, [pair, *pairs(outcomes)]))


def test_a_refresh_token_is_good_for_one_next_pair_with_the_role_of_today(
    desk: Desk, superuser: Database, user: UUID
) -> None:
    first = desk.sessions.open(user, Role.USER)
    with superuser.transaction() as connection:
        connection.execute("UPDATE user_service.users SET role = 'ADMIN'")
    desk.now += timedelta(hours=1)
    second = desk.sessions.renew(first.refresh_token)
    _, _, session, first_id = first.access_token.split()
    role, user_id, same_session, second_id = second.access_token.split()
    assert (role, user_id, same_session) == ("ADMIN", str(user), session)
    assert first_id != second_id
    assert second.refresh_token != first.refresh_token
    assert desk.sessions.renew(second.refresh_token).expires_in == 3600


def test_a_spent_token_that_comes_back_ends_its_own_session_and_no_other(desk: Desk, user: UUID) -> None:
    stolen, elsewhere = desk.sessions.open(user, Role.USER), desk.sessions.open(user, Role.USER)
    current = desk.sessions.renew(stolen.refresh_token)
    assert desk.refused(stolen.refresh_token) is TokenReused
    assert desk.refused(current.refresh_token) is TokenInvalid
    assert not desk.admits(stolen)
    assert not desk.admits(current)
    assert desk.admits(elsewhere)
    assert desk.sessions.renew(elsewhere.refresh_token)


def test_while_redis_is_away_a_reuse_is_refused_all_the_same_and_the_next_one_ends_the_access_tokens(
    desk: Desk, user: UUID
) -> None:
    stolen = desk.sessions.open(user, Role.USER)
    current = desk.sessions.renew(stolen.refresh_token)
    with pytest.raises(DomainError) as refusal:
        desk.with_blacklist(RedisAway()).renew(stolen.refresh_token)
    assert type(refusal.value) is TokenReused
    assert desk.refused(current.refresh_token) is TokenInvalid
    assert desk.admits(current)
    assert desk.refused(stolen.refresh_token) is TokenReused
    assert not desk.admits(current)


def test_a_refresh_token_lives_for_its_week(desk: Desk, user: UUID) -> None:
    pair, late = desk.sessions.open(user, Role.USER), desk.sessions.open(user, Role.USER)
    desk.now += LIFE - timedelta(seconds=1)
    assert desk.sessions.renew(pair.refresh_token)
    desk.now += timedelta(seconds=1)
    assert desk.refused(late.refresh_token) is TokenExpired


def test_a_token_nobody_was_given_is_invalid(desk: Desk) -> None:
    assert desk.refused("no such token") is TokenInvalid


def test_the_token_itself_is_nowhere_in_the_database(desk: Desk, superuser: Database, user: UUID) -> None:
    pair = desk.sessions.open(user, Role.USER)
    (row,) = superuser.rows("SELECT *, auth_tokens::text AS whole FROM user_service.auth_tokens")
    assert row["token_hash"] == token_hash(pair.refresh_token)
    assert pair.refresh_token not in row["whole"]


def test_signing_out_ends_the_session_with_every_access_token_it_issued(desk: Desk, redis: Client, user: UUID) -> None:
    first, elsewhere = desk.sessions.open(user, Role.USER), desk.sessions.open(user, Role.USER)
    desk.now += timedelta(minutes=20)
    current = desk.sessions.renew(first.refresh_token)
    desk.sign_out(current)
    assert desk.refused(current.refresh_token) is TokenInvalid
    left = [redis.ttl(f"token:blacklist:{{{pair.access_token.split()[3]}}}") for pair in (first, current, elsewhere)]
    assert [round(int(seconds), -1) for seconds in left[:2]] == [2400, 3600]
    assert left[2] == -2  # no such key
    assert desk.sessions.renew(elsewhere.refresh_token)


def test_an_access_token_whose_hour_is_over_is_not_blacklisted(desk: Desk, redis: Client, user: UUID) -> None:
    first = desk.sessions.open(user, Role.USER)
    desk.now += timedelta(hours=1)
    desk.sign_out(desk.sessions.renew(first.refresh_token))
    assert redis.dbsize() == 1


def test_signing_out_with_the_refresh_token_of_another_session_of_ones_own_ends_both(desk: Desk, user: UUID) -> None:
    here, there = desk.sessions.open(user, Role.USER), desk.sessions.open(user, Role.USER)
    desk.sign_out(here, there.refresh_token)
    assert desk.refused(here.refresh_token) is desk.refused(there.refresh_token) is TokenInvalid
    assert not desk.admits(there)


def test_signing_out_with_anothers_refresh_token_does_them_no_harm(desk: Desk, user: UUID) -> None:
    pair = desk.sessions.open(desk.join("lee@example.com"), Role.USER)
    desk.sign_out(desk.sessions.open(user, Role.USER), pair.refresh_token)
    assert desk.admits(pair)
    assert desk.sessions.renew(pair.refresh_token)


def test_a_sign_in_with_a_password_that_was_changed_meanwhile_opens_no_session(
    desk: Desk, superuser: Database, user: UUID
) -> None:
    assert desk.sessions.open(user, Role.USER, "a hash")
    with superuser.transaction() as connection:
        connection.execute("UPDATE user_service.users SET password_hash = 'another'")
    with pytest.raises(DomainError) as refusal:
        desk.sessions.open(user, Role.USER, "a hash")
    assert type(refusal.value) is InvalidCredentials
    assert live_tokens(superuser) == 1


def test_a_sign_in_is_remembered_with_its_time(desk: Desk, superuser: Database, user: UUID) -> None:
    desk.sessions.open(user, Role.USER)
    (row,) = superuser.rows("SELECT last_login_at FROM user_service.users")
    assert row["last_login_at"] == START
