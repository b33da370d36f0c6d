"""The bot check on a real Redis: a bot farm is rejected, people are not."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Protocol
from uuid import UUID, uuid4

import pytest

from common.domain.shared_errors import BotSuspected, CaptchaFailed, CaptchaRequired, DomainError, RateLimited
from common.protection.bot_check import BotCheck
from common.protection.bot_score import DEVICE_ACCOUNTS, Verdict
from common.protection.cloud_ranges import CloudRanges
from common.stores.redis import Client, connect
from tests.support.concurrently import concurrently
from tests.support.fixtures.round_trips import RoundTrips, round_trips

__all__ = ["round_trips"]

HOME, DEVICE = "198.51.100.7", "d41d8cd98f00b204e9800998ecf8427e"
CLOUDS = CloudRanges(["203.0.113.0/24"])


class Now:
    def __init__(self) -> None:
        self.at = datetime(2026, 5, 1, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def check_captcha(token: str) -> None:
    if token != "human":
        raise CaptchaFailed()


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def bot_check(redis: Client, now: Now) -> BotCheck:
    return BotCheck(redis, now, CLOUDS, check_captcha)


def verdict_on(
    bot_check: BotCheck, account: str, address: str = HOME, fingerprint: str | None = DEVICE, logged_in: bool = True
) -> Verdict:
    verdict = bot_check.verdict(account, address, fingerprint, logged_in=logged_in)
    assert verdict is not None
    return verdict


def test_concurrent_accounts_of_a_device_are_all_counted(any_redis: Callable[[], Client], now: Now) -> None:
    bot_checks = [BotCheck(any_redis(), now, CLOUDS, check_captcha) for _ in range(10)]

    verdicts = concurrently([partial(verdict_on, bot_checks[i % 10], str(UUID(int=i % 25))) for i in range(50)])

    assert not [each for each in verdicts if isinstance(each, Exception)]
    assert verdict_on(bot_checks[0], str(UUID(int=0))).layers["device"] == 80
    assert sum(isinstance(each, Verdict) and "device" not in each.layers for each in verdicts) <= 6  # 3 accounts, twice


def test_only_the_last_calls_of_an_account_are_kept(bot_check: BotCheck, redis: Client) -> None:
    concurrently([partial(verdict_on, bot_check, "u1") for _ in range(30)])

    (calls,) = redis.scan_iter("bot:calls:*")
    assert redis.llen(calls) == 8


def test_one_account_on_one_device_gets_no_points_for_many_requests(bot_check: BotCheck, now: Now) -> None:
    rng = Random(7)
    for _ in range(50):
        now.advance(rng.lognormvariate(1, 0.8))
        assert verdict_on(bot_check, "u1").layers == {}


def test_a_loop_is_detected_at_its_eighth_request(bot_check: BotCheck, now: Now) -> None:
    rng = Random(7)
    actions = []
    for _ in range(10):
        now.advance(2 + rng.uniform(-0.05, 0.05))
        actions.append(verdict_on(bot_check, "u1").action)

    assert actions == ["NONE"] * 7 + ["SLOWER"] * 3


def test_accounts_are_forgotten_after_an_hour(bot_check: BotCheck, redis: Client) -> None:
    for i in range(12):
        verdict_on(bot_check, f"u{i}")

    keys = [str(key) for key in redis.scan_iter()]
    assert all(0 < int(redis.pttl(key)) <= 3_600_000 for key in keys)
    assert len(keys) == 14


def test_later_accounts_do_not_extend_the_hour(bot_check: BotCheck, redis: Client) -> None:
    verdict_on(bot_check, "u1")
    (device,) = redis.scan_iter("bot:device:*")
    redis.pexpire(device, 5_000)

    verdict_on(bot_check, "u2")

    assert int(redis.pttl(device)) <= 5_000


def test_redis_has_no_personal_data_and_its_memory_is_bounded(bot_check: BotCheck, redis: Client) -> None:
    for i in range(500):
        verdict_on(bot_check, f"fan-{i}@example.com", logged_in=False)

    for key in map(str, redis.scan_iter()):
        assert not any(secret in key for secret in ("fan", "example", HOME, DEVICE))
        assert int(redis.memory_usage(key) or 0) < 16_000
        if "calls" in key:
            assert all(call.isdigit() for call in redis.lrange(key, 0, -1))


def test_requests_with_the_address_of_another_user_do_not_slow_that_user_down(bot_check: BotCheck, now: Now) -> None:
    for _ in range(20):
        now.advance(1)
        verdict_on(bot_check, "victim@example.com", "203.0.113.66", None, logged_in=False)

    assert verdict_on(bot_check, "victim@example.com", logged_in=False).layers == {}


def test_a_verdict_is_one_round_trip(redis_url: str, redis: Client, now: Now, round_trips: RoundTrips) -> None:
    bot_check = BotCheck(connect(redis_url, cluster=False), now, CLOUDS, check_captcha)
    verdict_on(bot_check, "u1")  # Redis has the scripts from now on

    with round_trips as rounds:
        verdict_on(bot_check, "u1")

    assert rounds.count == 1


def test_while_redis_is_unavailable_there_is_no_verdict(now: Now) -> None:
    bot_check = BotCheck(connect("redis://127.0.0.1:9", cluster=False), now, CLOUDS, check_captcha)

    assert bot_check.verdict("u1", "203.0.113.7", None, logged_in=True) is None


# -- a sale's first hour ---------------------------------------------------------------------------------------------


def test_two_hundred_people_with_shared_addresses_and_devices_are_served(bot_check: BotCheck, now: Now) -> None:
    """They register, log in, enter the queue and hold seats. Half share one address, some share a device in groups of
    three, some block fingerprints and have their own address."""
    rng = Random(2026)
    plans = []
    for i in range(200):
        address = "198.51.100.1" if i % 2 else f"192.0.2.{i}"
        device = None if i % 10 == 0 else f"device-{i // 3 if i < 30 else i:030}"
        at = rng.uniform(0, 3_000)
        for step in ("register", "login", "enter", *["hold"] * rng.randint(1, 12)):
            at += rng.lognormvariate(1.5, 0.9)
            plans.append((at, i, step in ("register", "login"), address, device))
    start, actions = now.at, Counter[str]()
    for at, i, anonymous, address, device in sorted(plans, key=lambda plan: plan[:2]):
        now.at = start + timedelta(seconds=at)
        account = f"fan-{i}@example.com" if anonymous else str(UUID(int=i))
        actions[verdict_on(bot_check, account, address, device, not anonymous).action] += 1

    assert actions.keys() <= {"NONE", "SLOWER", "CAPTCHA"}
    assert actions["CAPTCHA"] + actions["SLOWER"] <= 0.02 * actions.total()


def test_fifty_accounts_on_one_device_are_rejected_from_the_twelfth_on(bot_check: BotCheck, now: Now) -> None:
    rng = Random(50)
    actions = []
    for i in range(50):
        now.advance(rng.lognormvariate(1, 1))
        actions.append(verdict_on(bot_check, str(UUID(int=i)), f"192.0.2.{i}").action)

    assert DEVICE_ACCOUNTS == ((12, 80), (6, 50), (4, 30))
    assert actions == ["NONE"] * 5 + ["CAPTCHA"] * 6 + ["REFUSED"] * 39


# -- the consequences -----------------------------------------------------------------------------------------------


class SendRequest(Protocol):
    def __call__(
        self, account: str, observe: bool = False, address: str = HOME, **headers: str
    ) -> DomainError | None: ...


def error_type(error: DomainError | None) -> type[DomainError] | None:
    return type(error) if error else None


@pytest.fixture
def send_request(bot_check: BotCheck) -> SendRequest:
    """Checks a request, and returns the error if it was rejected."""

    def send(account: str, observe: bool = False, address: str = HOME, **headers: str) -> DomainError | None:
        token = headers.get("X_Captcha_Token", "")
        try:
            bot_check.check(account, address, DEVICE, token, logged_in=True, observe=observe)
        except DomainError as error:
            return error
        return None

    return send


def test_a_fast_caller_from_a_cloud_must_wait_and_is_served_afterwards(send_request: SendRequest, now: Now) -> None:
    assert send_request("u1", address="203.0.113.7") is None
    now.advance(1)
    error = send_request("u1", address="203.0.113.7")
    assert error is not None
    assert (type(error), error.retry_after) == (RateLimited, 3)
    now.advance(3)
    assert send_request("u1", address="203.0.113.7") is None


def test_a_suspected_caller_with_a_valid_captcha_is_served(send_request: SendRequest) -> None:
    assert [error_type(send_request(f"u{i}")) for i in range(6)] == [None] * 5 + [CaptchaRequired]
    assert error_type(send_request("u5", X_Captcha_Token="robot")) is CaptchaFailed
    assert send_request("u5", X_Captcha_Token="human") is None


def test_a_bot_farm_is_rejected_even_with_a_valid_captcha(send_request: SendRequest) -> None:
    for i in range(12):
        send_request(f"u{i}")

    assert error_type(send_request("u0", X_Captcha_Token="human")) is BotSuspected


def test_in_observe_mode_a_bot_farm_is_served_and_counted(
    send_request: SendRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [send_request(f"u{i}", observe=True) for i in range(50)] == [None] * 50
    output = capsys.readouterr().out
    assert '"action":"refused"' in output.replace(" ", "")
    assert '"layer":"device"' in output.replace(" ", "")


def test_logs_and_metrics_of_suspected_callers_contain_no_personal_data(
    send_request: SendRequest, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    accounts = [f"fan-{uuid4()}@example.com" for _ in range(20)]
    for account in accounts:
        send_request(account)

    output = capsys.readouterr().out + str([vars(record) for record in caplog.records])
    assert "BotActions" in output
    assert "looks like a bot" in output
    assert not any(secret in output for secret in (*accounts, HOME, DEVICE))
