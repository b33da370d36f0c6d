"""E-mail codes, on one Redis and on a cluster: guesses and e-mails are limited (AUTH-022)."""

from collections.abc import Callable
from functools import partial

import pytest

from common.domain.clock import new_id
from common.domain.ids import UserId
from common.domain.shared_errors import DomainError, RateLimited
from common.stores.postgres import Database
from common.stores.redis import Client
from functions.auth.adapters.email_code_redis import EmailCodes
from functions.auth.domain.email_code import CODES_A_DAY, TRIES
from tests.support.concurrently import concurrently
from tests.support.fakes.in_memory_vault import in_memory_vault
from tests.support.fixtures.auth_service import AuthService

RIGHT, WRONG = b"right", b"wrong"
NewCodes = Callable[[], EmailCodes]


@pytest.fixture
def user() -> UserId:
    return UserId(new_id())


@pytest.fixture
def new_codes(any_redis: Callable[[], Client]) -> NewCodes:
    """Each with its own connection."""
    return lambda: EmailCodes(any_redis())


@pytest.fixture
def codes(new_codes: NewCodes) -> EmailCodes:
    return new_codes()


def end_pause(redis: Client, user: UserId) -> None:
    redis.delete(f"email:code:pause:{{{user}}}")


def test_of_many_guesses_at_once_no_more_than_five_are_compared(new_codes: NewCodes, user: UserId) -> None:
    instances = [new_codes() for _ in range(8)]
    for _ in range(5):
        other_user = UserId(new_id())
        assert instances[0].save(other_user, RIGHT)
        wrong = concurrently([partial(instance.matches, other_user, WRONG) for instance in instances[:TRIES]])
        assert wrong == [False] * TRIES
        assert not instances[0].matches(other_user, RIGHT)
        right = concurrently([partial(instance.matches, other_user, RIGHT) for instance in instances])
        assert right == [False] * len(instances)


def test_of_many_requests_at_once_one_code_is_saved(new_codes: NewCodes, user: UserId) -> None:
    instances = [new_codes() for _ in range(8)]
    outcomes = concurrently([partial(instance.save, user, b"%d" % n) for n, instance in enumerate(instances)])
    assert sorted(map(bool, outcomes)) == [False] * 7 + [True]
    assert instances[0].matches(user, b"%d" % outcomes.index(True))


def test_the_fifth_guess_can_be_correct(codes: EmailCodes, user: UserId) -> None:
    codes.save(user, RIGHT)
    assert [codes.matches(user, WRONG) for _ in range(TRIES - 1)] == [False] * (TRIES - 1)
    assert codes.matches(user, RIGHT)


def test_a_code_works_for_its_user_until_it_is_spent(codes: EmailCodes, user: UserId) -> None:
    assert not codes.matches(user, RIGHT)
    codes.save(user, RIGHT)
    assert not codes.matches(UserId(new_id()), RIGHT)
    assert codes.matches(user, RIGHT)
    codes.spend(user)
    assert not codes.matches(user, RIGHT)


def test_a_new_code_replaces_the_old_one(codes: EmailCodes, any_redis: Callable[[], Client], user: UserId) -> None:
    codes.save(user, b"first")
    assert not codes.save(user, b"second")
    assert codes.matches(user, b"first")
    end_pause(any_redis(), user)
    assert codes.save(user, b"third")
    assert not codes.matches(user, b"first")
    assert codes.matches(user, b"third")


def test_a_user_gets_at_most_ten_codes_a_day(codes: EmailCodes, any_redis: Callable[[], Client], user: UserId) -> None:
    redis = any_redis()
    for _ in range(CODES_A_DAY):
        assert codes.save(user, RIGHT)
        end_pause(redis, user)
    with pytest.raises(DomainError) as error:
        codes.save(user, RIGHT)
    assert type(error.value) is RateLimited
    assert 86_000 < (error.value.retry_after or 0) <= 86_400


def test_every_key_of_a_code_expires(codes: EmailCodes, any_redis: Callable[[], Client], user: UserId) -> None:
    redis = any_redis()
    codes.save(user, RIGHT)
    ttls = {key: int(str(redis.ttl(f"email:code{key}:{{{user}}}"))) for key in ("", ":pause", ":count")}
    assert {key: -(-ttl // 10) * 10 for key, ttl in ttls.items()} == {"": 600, ":pause": 60, ":count": 86_400}


def test_a_code_that_was_not_mailed_does_not_count(
    codes: EmailCodes, any_redis: Callable[[], Client], user: UserId
) -> None:
    redis = any_redis()
    for _ in range(CODES_A_DAY + 1):
        assert codes.save(user, RIGHT)
        codes.forget(user)
        assert not codes.matches(user, RIGHT)
    redis.delete(f"email:code:count:{{{user}}}")
    codes.forget(user)  # the day's count expired meanwhile
    assert codes.save(user, RIGHT)
    assert int(str(redis.ttl(f"email:code:count:{{{user}}}"))) > 0


def test_the_time_of_the_first_email_confirmation_is_kept(service: AuthService, superuser: Database) -> None:
    user = service.register()
    account = service.accounts.account(user)
    assert account is not None
    assert not account.email_verified
    address = in_memory_vault().lookup("email", account.email)
    service.states.confirm_email(user, b"another address", service.now)
    assert service.accounts.account(user) == account
    for _ in range(2):
        service.states.confirm_email(user, address, service.now)
        account = service.accounts.account(user)
        assert account is not None
        assert account.email_verified
    service.states.confirm_email(user, address, service.now.replace(year=2027))
    assert [row["at"] for row in superuser.rows("SELECT email_verified_at AS at FROM user_service.users")] == [
        service.now
    ]
