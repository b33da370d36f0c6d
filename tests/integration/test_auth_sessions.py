"""Sessions on a real Postgres and Redis: each refresh token works once, or for the tabs of one device at once, and a
session ends as a whole (AUTH-008 to AUTH-010)."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from common.domain.ids import UserId
from common.domain.shared_errors import DomainError, TokenExpired, TokenInvalid
from common.stores.postgres import Database
from common.stores.redis import Client
from functions.auth.domain.account import Role
from functions.auth.domain.errors import InvalidCredentials, TokenReused
from functions.auth.domain.session import MAX_SIBLINGS, token_hash
from tests.support.concurrently import concurrently
from tests.support.fixtures.auth_service import (
    GRACE,
    LIFETIME,
    START,
    AuthService,
    RedisUnavailable,
    live_tokens,
    pairs,
)

LAPTOP, PHONE = b"laptop", b"phone"


@pytest.fixture
def user(service: AuthService) -> UserId:
    return service.register()


def test_tabs_of_one_device_that_renew_at_once_all_stay_logged_in(
    new_service: Callable[[], AuthService], superuser: Database, service: AuthService, user: UserId
) -> None:
    tabs = [new_service() for _ in range(6)]
    for _ in range(5):
        pair = service.sessions.open(user, Role.USER)
        renewed = pairs(concurrently([partial(tab.sessions.renew, pair.refresh_token, LAPTOP) for tab in tabs]))
        assert len({each.refresh_token for each in renewed}) == 6
        assert all(map(service.accepts, [pair, *renewed]))
        # The next round, each tab with its own token: still one session, and no more tokens than tabs.
        again = pairs(
            concurrently(
                [
                    partial(tab.sessions.renew, each.refresh_token, LAPTOP)
                    for tab, each in zip(tabs, renewed, strict=True)
                ]
            )
        )
        assert len(again) == 6
        assert live_tokens(superuser) == 6
        service.log_out(again[0])
        assert live_tokens(superuser) == 0
        assert not any(map(service.accepts, [*renewed, *again]))


def test_of_two_devices_that_renew_at_once_with_one_token_the_session_ends(
    new_service: Callable[[], AuthService], superuser: Database, service: AuthService, user: UserId
) -> None:
    owner, thief = new_service(), new_service()
    for _ in range(10):
        pair = service.sessions.open(user, Role.USER)
        renewals = [
            partial(owner.sessions.renew, pair.refresh_token, LAPTOP),
            partial(thief.sessions.renew, pair.refresh_token, PHONE),
        ]
        (renewed,) = pairs(concurrently(renewals))
        assert not service.accepts(renewed)
        assert live_tokens(superuser) == 0


def test_a_spent_token_is_accepted_from_its_device_until_the_grace_ends(
    service: AuthService, superuser: Database, user: UserId
) -> None:
    spent = service.sessions.open(user, Role.USER).refresh_token
    current = service.sessions.renew(spent, LAPTOP)
    service.now += GRACE - timedelta(milliseconds=1)
    assert service.accepts(service.sessions.renew(spent, LAPTOP))
    service.now += timedelta(milliseconds=1)
    assert service.rejection(spent, LAPTOP) is TokenReused
    assert not service.accepts(current)
    assert live_tokens(superuser) == 0


@pytest.mark.parametrize(("first", "second"), [(LAPTOP, PHONE), (LAPTOP, None), (None, LAPTOP), (None, None)])
def test_a_spent_token_from_another_device_ends_the_session_within_the_grace(
    service: AuthService, user: UserId, first: bytes | None, second: bytes | None
) -> None:
    spent = service.sessions.open(user, Role.USER).refresh_token
    current = service.sessions.renew(spent, first)
    assert service.rejection(spent, second) is TokenReused
    assert service.rejection(current.refresh_token, first) is TokenInvalid


@pytest.mark.parametrize("thief_is_next", [True, False])
def test_a_thief_who_imitates_the_device_within_the_grace_is_found_out_at_the_next_renewal(
    service: AuthService, superuser: Database, user: UserId, thief_is_next: bool
) -> None:
    spent = service.sessions.open(user, Role.USER).refresh_token
    owners, thiefs = service.sessions.renew(spent, LAPTOP), service.sessions.renew(spent, LAPTOP)
    service.now += timedelta(minutes=50)
    first, second = (thiefs, owners) if thief_is_next else (owners, thiefs)
    current = service.sessions.renew(first.refresh_token, LAPTOP)
    service.now += GRACE
    assert service.rejection(second.refresh_token, LAPTOP) is TokenReused
    assert not service.accepts(current)
    assert live_tokens(superuser) == 0


def test_a_token_before_the_previous_one_ends_the_session_within_the_grace(service: AuthService, user: UserId) -> None:
    first = service.sessions.open(user, Role.USER).refresh_token
    service.sessions.renew(service.sessions.renew(first, LAPTOP).refresh_token, LAPTOP)
    assert service.rejection(first, LAPTOP) is TokenReused


def test_one_token_has_a_bounded_number_of_successors(service: AuthService, superuser: Database, user: UserId) -> None:
    spent = service.sessions.open(user, Role.USER).refresh_token
    for _ in range(MAX_SIBLINGS):
        service.sessions.renew(spent, LAPTOP)
    assert live_tokens(superuser) == MAX_SIBLINGS
    assert service.rejection(spent, LAPTOP) is TokenReused
    assert live_tokens(superuser) == 0


def test_of_renewals_at_once_with_one_token_exactly_one_succeeds_and_the_session_ends(
    new_service: Callable[[], AuthService], superuser: Database, service: AuthService, user: UserId
) -> None:
    services = [new_service() for _ in range(6)]
    for _ in range(5):
        pair = service.sessions.open(user, Role.USER)
        outcomes = concurrently([partial(each.sessions.renew, pair.refresh_token) for each in services])
        (renewed,) = pairs(outcomes)
        assert [type(outcome) for outcome in outcomes if isinstance(outcome, DomainError)] == [TokenReused] * 5
        assert service.rejection(renewed.refresh_token) is TokenInvalid
        assert not service.accepts(pair)
        assert not service.accepts(renewed)
        assert live_tokens(superuser) == 0


def test_a_token_renewed_during_a_reuse_is_ended_with_its_session(
    new_service: Callable[[], AuthService], superuser: Database, service: AuthService, user: UserId
) -> None:
    owner, thief = new_service(), new_service()
    for _ in range(30):
        spent = service.sessions.open(user, Role.USER).refresh_token
        current = service.sessions.renew(spent).refresh_token
        outcomes = concurrently([partial(owner.sessions.renew, current), partial(thief.sessions.renew, spent)])
        assert live_tokens(superuser) == 0
        assert not any(map(service.accepts, pairs(outcomes)))


def test_a_token_issued_during_a_logout_is_ended_with_its_session(
    new_service: Callable[[], AuthService], superuser: Database, service: AuthService, user: UserId
) -> None:
    tab, other_tab = new_service(), new_service()
    for _ in range(30):
        pair = service.sessions.open(user, Role.USER)
        tabs: list[Callable[[], object]] = [
            partial(tab.log_out, pair),
            partial(other_tab.sessions.renew, pair.refresh_token),
        ]
        outcomes = concurrently(tabs)
        assert live_tokens(superuser) == 0
        assert not any(map(service.accepts, [pair, *pairs(outcomes)]))


def test_a_refresh_token_is_exchanged_for_a_pair_with_the_current_role(
    service: AuthService, superuser: Database, user: UserId
) -> None:
    first = service.sessions.open(user, Role.USER)
    with superuser.transaction() as connection:
        connection.execute("UPDATE user_service.users SET role = 'ADMIN'")
    service.now += timedelta(hours=1)
    second = service.sessions.renew(first.refresh_token)
    _, _, session, first_id = first.access_token.split()
    role, user_id, same_session, second_id = second.access_token.split()
    assert (role, user_id, same_session) == ("ADMIN", str(user), session)
    assert first_id != second_id
    assert second.refresh_token != first.refresh_token
    assert service.sessions.renew(second.refresh_token).expires_in == 3600


def test_a_reused_token_ends_its_own_session_and_no_other(service: AuthService, user: UserId) -> None:
    stolen, other_session = service.sessions.open(user, Role.USER), service.sessions.open(user, Role.USER)
    current = service.sessions.renew(stolen.refresh_token)
    assert service.rejection(stolen.refresh_token) is TokenReused
    assert service.rejection(current.refresh_token) is TokenInvalid
    assert not service.accepts(stolen)
    assert not service.accepts(current)
    assert service.accepts(other_session)
    assert service.sessions.renew(other_session.refresh_token)


def test_while_redis_is_unavailable_a_reuse_is_rejected_and_the_next_one_revokes_the_access_tokens(
    service: AuthService, user: UserId
) -> None:
    stolen = service.sessions.open(user, Role.USER)
    current = service.sessions.renew(stolen.refresh_token)
    with pytest.raises(DomainError) as error:
        service.with_blacklist(RedisUnavailable()).renew(stolen.refresh_token)
    assert type(error.value) is TokenReused
    assert service.rejection(current.refresh_token) is TokenInvalid
    assert service.accepts(current)
    assert service.rejection(stolen.refresh_token) is TokenReused
    assert not service.accepts(current)


def test_a_refresh_token_is_valid_for_a_week(service: AuthService, user: UserId) -> None:
    pair, late = service.sessions.open(user, Role.USER), service.sessions.open(user, Role.USER)
    service.now += LIFETIME - timedelta(seconds=1)
    assert service.sessions.renew(pair.refresh_token)
    service.now += timedelta(seconds=1)
    assert service.rejection(late.refresh_token) is TokenExpired


def test_an_unknown_refresh_token_is_invalid(service: AuthService) -> None:
    assert service.rejection("no such token") is TokenInvalid


def test_the_refresh_token_itself_is_not_in_the_database(
    service: AuthService, superuser: Database, user: UserId
) -> None:
    pair = service.sessions.open(user, Role.USER)
    (row,) = superuser.rows("SELECT *, auth_tokens::text AS whole FROM user_service.auth_tokens")
    assert row["token_hash"] == token_hash(pair.refresh_token)
    assert pair.refresh_token not in row["whole"]


def test_logging_out_ends_the_session_and_every_access_token_it_issued(
    service: AuthService, redis: Client, user: UserId
) -> None:
    first, other_session = service.sessions.open(user, Role.USER), service.sessions.open(user, Role.USER)
    service.now += timedelta(minutes=20)
    current = service.sessions.renew(first.refresh_token)
    service.log_out(current)
    assert service.rejection(current.refresh_token) is TokenInvalid
    left = [
        redis.ttl(f"token:blacklist:{{{pair.access_token.split()[3]}}}") for pair in (first, current, other_session)
    ]
    assert [round(int(seconds), -1) for seconds in left[:2]] == [2400, 3600]
    assert left[2] == -2  # no such key
    assert service.sessions.renew(other_session.refresh_token)


def test_an_expired_access_token_is_not_blacklisted(service: AuthService, redis: Client, user: UserId) -> None:
    first = service.sessions.open(user, Role.USER)
    service.now += timedelta(hours=1)
    service.log_out(service.sessions.renew(first.refresh_token))
    assert redis.dbsize() == 1


def test_logging_out_with_the_refresh_token_of_another_session_ends_both(service: AuthService, user: UserId) -> None:
    current, other = service.sessions.open(user, Role.USER), service.sessions.open(user, Role.USER)
    service.log_out(current, other.refresh_token)
    assert service.rejection(current.refresh_token) is service.rejection(other.refresh_token) is TokenInvalid
    assert not service.accepts(other)


def test_logging_out_with_another_users_refresh_token_does_not_end_their_session(
    service: AuthService, user: UserId
) -> None:
    pair = service.sessions.open(service.register("lee@example.com"), Role.USER)
    service.log_out(service.sessions.open(user, Role.USER), pair.refresh_token)
    assert service.accepts(pair)
    assert service.sessions.renew(pair.refresh_token)


def test_a_login_with_a_password_that_was_changed_meanwhile_opens_no_session(
    service: AuthService, superuser: Database, user: UserId
) -> None:
    assert service.sessions.open(user, Role.USER, "a hash")
    with superuser.transaction() as connection:
        connection.execute("UPDATE user_service.users SET password_hash = 'another'")
    with pytest.raises(DomainError) as error:
        service.sessions.open(user, Role.USER, "a hash")
    assert type(error.value) is InvalidCredentials
    assert live_tokens(superuser) == 1


def test_a_login_is_stored_with_its_time(service: AuthService, superuser: Database, user: UserId) -> None:
    service.sessions.open(user, Role.USER)
    (row,) = superuser.rows("SELECT last_login_at FROM user_service.users")
    assert row["last_login_at"] == START
