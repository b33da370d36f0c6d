"""Password guessing is slowed down, even in parallel, and no owner is locked out of a known network (AUTH-006)."""

from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock

import pytest

from common.domain.clock import new_id
from common.domain.shared_errors import DomainError
from common.stores.redis import Client
from functions.auth.adapters.lockout_redis import Lockout
from functions.auth.domain.errors import AccountLocked
from functions.auth.domain.lockout import LockoutTerms
from tests.support.concurrently import concurrently

START = datetime(2026, 5, 1, 11, tzinfo=UTC)
HONG, KIM = b"hong" * 8, b"kim." * 8
HOME, CAFE = b"home" * 8, b"cafe" * 8
TERMS = LockoutTerms()
MOST_AT_ONCE = TERMS.network.wrong - 1 + TERMS.at_once  # concurrent guesses that are compared


class LoginAttempts:
    """A lockout, and a clock that tests move."""

    def __init__(self, redis: Client) -> None:
        self.now = START
        self.lockout = Lockout(redis, lambda: self.now, new_id)

    def guess(self, email: bytes = HONG, network: bytes = CAFE, *, known: bool = False, right: bool = False) -> int:
        """0 when the guess was compared, else the seconds to wait."""
        try:
            attempt = self.lockout.check(email, network, known_network=known)
        except AccountLocked as locked:
            return locked.retry_after or 0
        (self.lockout.passed if right else self.lockout.failed)(attempt)
        return 0

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def login(redis: Client) -> LoginAttempts:
    return LoginAttempts(redis)


def test_of_a_hundred_concurrent_guesses_a_limited_number_is_compared(login: LoginAttempts) -> None:
    compared: list[int] = []
    counting = Lock()

    def guess() -> None:
        attempt = login.lockout.check(HONG, CAFE, known_network=False)
        with counting:
            compared.append(1)
        login.lockout.failed(attempt)

    for _ in range(5):
        outcomes = concurrently([guess] * 100)
        assert all(outcome is None or isinstance(outcome, DomainError) for outcome in outcomes)
        assert TERMS.network.wrong <= len(compared) <= MOST_AT_ONCE


def test_guesses_in_progress_count(login: LoginAttempts) -> None:
    outcomes = concurrently([partial(login.lockout.check, HONG, CAFE, known_network=False)] * 100)
    in_progress = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert len(in_progress) == TERMS.at_once
    assert login.guess() == 1
    for attempt in in_progress:
        login.lockout.failed(attempt)
    assert login.guess() > 60


def test_correct_passwords_at_once_all_pass(login: LoginAttempts) -> None:
    for _ in range(5):
        assert concurrently([partial(login.guess, right=True)] * TERMS.at_once) == [0] * TERMS.at_once


def test_the_sixth_guess_waits_a_minute_and_later_ones_up_to_fifteen(login: LoginAttempts) -> None:
    assert [login.guess() for _ in range(5)] == [0] * 5
    waits = []
    for _ in range(6):
        waits.append(login.guess())
        assert login.guess() == waits[-1]  # a rejected guess does not prolong the lockout
        login.wait(waits[-1] - 0.001)
        assert login.guess() == 1
        login.wait(0.001)
        assert login.guess() == 0
    assert waits == [60, 120, 240, 480, 900, 900]


def test_after_a_lockout_one_of_many_concurrent_guesses_is_compared(login: LoginAttempts) -> None:
    for _ in range(5):
        login.guess()
    login.wait(60)
    outcomes = concurrently([partial(login.lockout.check, HONG, CAFE, known_network=False)] * 20)
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1


def test_the_correct_password_resets_the_count_but_waits_while_locked(
    login: LoginAttempts,
) -> None:
    for _ in range(4):
        login.guess()
    assert login.guess(right=True) == 0
    assert [login.guess() for _ in range(5)] == [0] * 5
    assert login.guess(right=True) == 60
    login.wait(60)
    assert login.guess(right=True) == 0
    assert [login.guess() for _ in range(5)] == [0] * 5


def test_a_wrong_password_counts_for_an_hour(login: LoginAttempts) -> None:
    for _ in range(4):
        login.guess()
    login.wait(3600)
    assert [login.guess() for _ in range(5)] == [0] * 5
    assert login.guess() == 60


def test_another_address_and_another_network_are_not_locked(login: LoginAttempts) -> None:
    for _ in range(6):
        login.guess()
    assert login.guess() == 60
    assert login.guess(email=KIM) == 0
    assert login.guess(network=HOME) == 0


def test_guessing_from_many_networks_locks_all_but_known_networks(login: LoginAttempts) -> None:
    networks = [bytes([number]) * 32 for number in range(100)]
    outcomes = concurrently([partial(login.guess, network=network) for network in networks])
    waited = [wait for wait in outcomes if wait]
    at_most = TERMS.elsewhere.wrong - 1 + TERMS.at_once
    assert len(outcomes) - len(waited) <= at_most
    for network in networks:
        login.guess(network=network)
    assert login.guess(network=CAFE) == 300
    assert login.guess(network=HOME, known=True, right=True) == 0
    assert login.guess(email=KIM) == 0
    login.wait(299.5)
    assert login.guess(network=CAFE) == 1
    login.wait(0.5)
    assert login.guess(network=CAFE) == 0
    assert login.guess(network=networks[7]) == 300


def test_wrong_passwords_from_known_networks_lock_no_other_network(login: LoginAttempts) -> None:
    for number in range(60):
        login.guess(network=bytes([number]) * 32, known=True)
    assert login.guess(network=CAFE) == 0


def test_an_unfinished_attempt_stops_counting(login: LoginAttempts) -> None:
    for _ in range(TERMS.at_once):
        login.lockout.check(HONG, CAFE, known_network=False)
    assert login.guess() == 1
    login.wait(30)
    assert login.guess() == 0


def test_every_key_expires_and_none_contains_an_address(login: LoginAttempts, redis: Client) -> None:
    for _ in range(3):
        login.guess()
    login.lockout.check(HONG, CAFE, known_network=False)
    keys = [str(key) for key in redis.scan_iter()]
    assert len(keys) == 4
    assert all(0 < redis.ttl(key) <= 3600 for key in keys)
    assert len({key[key.index("{") : key.index("}")] for key in keys}) == 1  # one slot
