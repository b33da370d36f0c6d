"""Mailed codes, on one Redis and on a cluster: nobody guesses one, and nobody is mailed full (AUTH-022)."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest

from common.domain.clock import new_id
from common.domain.shared_errors import DomainError, RateLimited
from common.stores.postgres import Database
from common.stores.redis import Client
from functions.auth.adapters.email_code_redis import CODES_A_DAY, TRIES, EmailCodeStore
from tests.concurrently import concurrently
from tests.session_desk import Desk

RIGHT, WRONG = b"right", b"wrong"
Stores = Callable[[], EmailCodeStore]


@pytest.fixture
def user() -> UUID:
    return new_id()


@pytest.fixture
def stores(any_redis: Callable[[], Client]) -> Stores:
    """Each on a connection of its own."""
    return lambda: EmailCodeStore(any_redis())


@pytest.fixture
def codes(stores: Stores) -> EmailCodeStore:
    return stores()


def a_minute_later(redis: Client, user: UUID) -> None:
    redis.delete(f"email:code:pause:{{{user}}}")


def test_of_many_guesses_at_once_no_more_than_five_are_compared(stores: Stores, user: UUID) -> None:
    desks = [stores() for _ in range(8)]
    for _ in range(5):
        someone = new_id()
        assert desks[0].keep(someone, RIGHT)
        wrong = concurrently([partial(desk.matches, someone, WRONG) for desk in desks[:TRIES]])
        assert wrong == [False] * TRIES
        assert not desks[0].matches(someone, RIGHT)
        right = concurrently([partial(desk.matches, someone, RIGHT) for desk in desks])
        assert right == [False] * len(desks)


def test_of_many_requests_at_once_one_is_mailed(stores: Stores, user: UUID) -> None:
    desks = [stores() for _ in range(8)]
    outcomes = concurrently([partial(desk.keep, user, b"%d" % n) for n, desk in enumerate(desks)])
    assert sorted(map(bool, outcomes)) == [False] * 7 + [True]
    assert desks[0].matches(user, b"%d" % outcomes.index(True))


def test_the_fifth_guess_may_be_right(codes: EmailCodeStore, user: UUID) -> None:
    codes.keep(user, RIGHT)
    assert [codes.matches(user, WRONG) for _ in range(TRIES - 1)] == [False] * (TRIES - 1)
    assert codes.matches(user, RIGHT)


def test_a_code_is_its_users_and_good_until_it_is_spent(codes: EmailCodeStore, user: UUID) -> None:
    assert not codes.matches(user, RIGHT)
    codes.keep(user, RIGHT)
    assert not codes.matches(new_id(), RIGHT)
    assert codes.matches(user, RIGHT)
    codes.spend(user)
    assert not codes.matches(user, RIGHT)


def test_a_new_code_takes_the_place_of_the_old_one(
    codes: EmailCodeStore, any_redis: Callable[[], Client], user: UUID
) -> None:
    codes.keep(user, b"first")
    assert not codes.keep(user, b"second")
    assert codes.matches(user, b"first")
    a_minute_later(any_redis(), user)
    assert codes.keep(user, b"third")
    assert not codes.matches(user, b"first")
    assert codes.matches(user, b"third")


def test_ten_codes_a_day_are_enough(codes: EmailCodeStore, any_redis: Callable[[], Client], user: UUID) -> None:
    redis = any_redis()
    for _ in range(CODES_A_DAY):
        assert codes.keep(user, RIGHT)
        a_minute_later(redis, user)
    with pytest.raises(DomainError) as refusal:
        codes.keep(user, RIGHT)
    assert type(refusal.value) is RateLimited
    assert 86_000 < (refusal.value.retry_after or 0) <= 86_400


def test_everything_of_a_code_dies_by_itself(
    codes: EmailCodeStore, any_redis: Callable[[], Client], user: UUID
) -> None:
    redis = any_redis()
    codes.keep(user, RIGHT)
    lives = {key: int(str(redis.ttl(f"email:code{key}:{{{user}}}"))) for key in ("", ":pause", ":count")}
    assert {key: -(-left // 10) * 10 for key, left in lives.items()} == {"": 600, ":pause": 60, ":count": 86_400}


def test_a_code_that_was_not_mailed_never_was(
    codes: EmailCodeStore, any_redis: Callable[[], Client], user: UUID
) -> None:
    redis = any_redis()
    for _ in range(CODES_A_DAY + 1):
        assert codes.keep(user, RIGHT)
        codes.forget(user)
        assert not codes.matches(user, RIGHT)
    redis.delete(f"email:code:count:{{{user}}}")
    codes.forget(user)  # a day ended in between
    assert codes.keep(user, RIGHT)
    assert int(str(redis.ttl(f"email:code:count:{{{user}}}"))) > 0


def test_the_first_proof_of_an_address_is_remembered(desk: Desk, superuser: Database) -> None:
    user = desk.join()
    account = desk.accounts.account(user)
    assert account is not None
    assert not account.email_verified
    for _ in range(2):
        desk.accounts.confirm_email(user, desk.now)
        account = desk.accounts.account(user)
        assert account is not None
        assert account.email_verified
    desk.accounts.confirm_email(user, desk.now.replace(year=2027))
    assert [row["at"] for row in superuser.rows("SELECT email_verified_at AS at FROM user_service.users")] == [desk.now]
