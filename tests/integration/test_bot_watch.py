"""The watch for bots on real Redis: a farm is caught, people are not."""

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
        self.moment = datetime(2026, 5, 1, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def passes(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def check_captcha(token: str) -> None:
    if token != "human":
        raise CaptchaFailed()


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def watch(redis: Client, now: Now) -> BotCheck:
    return BotCheck(redis, now, CLOUDS, check_captcha)


def see(
    watch: BotCheck, account: str, address: str = HOME, fingerprint: str | None = DEVICE, signed_in: bool = True
) -> Verdict:
    verdict = watch.verdict(account, address, fingerprint, logged_in=signed_in)
    assert verdict is not None
    return verdict


def test_accounts_of_a_device_are_counted_however_many_come_at_once(any_redis: Callable[[], Client], now: Now) -> None:
    watches = [BotCheck(any_redis(), now, CLOUDS, check_captcha) for _ in range(10)]

    verdicts = concurrently([partial(see, watches[i % 10], str(UUID(int=i % 25))) for i in range(50)])

    assert not [each for each in verdicts if isinstance(each, Exception)]
    assert see(watches[0], str(UUID(int=0))).layers["device"] == 80
    assert sum(isinstance(each, Verdict) and "device" not in each.layers for each in verdicts) <= 6  # 3 accounts, twice


def test_an_accounts_last_calls_are_kept_and_no_more(watch: BotCheck, redis: Client) -> None:
    concurrently([partial(see, watch, "u1") for _ in range(30)])

    (calls,) = redis.scan_iter("bot:calls:*")
    assert redis.llen(calls) == 8


def test_one_account_on_one_device_earns_nothing_however_often_it_comes(watch: BotCheck, now: Now) -> None:
    people = Random(7)
    for _ in range(50):
        now.passes(people.lognormvariate(1, 0.8))
        assert see(watch, "u1").layers == {}


def test_a_loop_is_known_by_its_eighth_turn(watch: BotCheck, now: Now) -> None:
    jitter = Random(7)
    seen = []
    for _ in range(10):
        now.passes(2 + jitter.uniform(-0.05, 0.05))
        seen.append(see(watch, "u1").action)

    assert seen == ["NONE"] * 7 + ["SLOWER"] * 3


def test_accounts_are_forgotten_after_an_hour(watch: BotCheck, redis: Client) -> None:
    for i in range(12):
        see(watch, f"u{i}")

    keys = [str(key) for key in redis.scan_iter()]
    assert all(0 < int(redis.pttl(key)) <= 3_600_000 for key in keys)
    assert len(keys) == 14


def test_counting_on_does_not_lengthen_the_hour(watch: BotCheck, redis: Client) -> None:
    see(watch, "u1")
    (device,) = redis.scan_iter("bot:device:*")
    redis.pexpire(device, 5_000)

    see(watch, "u2")

    assert int(redis.pttl(device)) <= 5_000


def test_nobody_is_kept_in_the_clear_and_memory_is_bounded(watch: BotCheck, redis: Client) -> None:
    for i in range(500):
        see(watch, f"fan-{i}@example.com", signed_in=False)

    for key in map(str, redis.scan_iter()):
        assert not any(told in key for told in ("fan", "example", HOME, DEVICE))
        assert int(redis.memory_usage(key) or 0) < 16_000
        if "calls" in key:
            assert all(call.isdigit() for call in redis.lrange(key, 0, -1))


def test_a_stranger_cannot_slow_down_the_owner_of_an_address_he_writes(watch: BotCheck, now: Now) -> None:
    for _ in range(20):
        now.passes(1)
        see(watch, "victim@example.com", "203.0.113.66", None, signed_in=False)

    assert see(watch, "victim@example.com", signed_in=False).layers == {}


def test_a_look_is_one_round_trip(redis_url: str, redis: Client, now: Now, round_trips: RoundTrips) -> None:
    watch = BotCheck(connect(redis_url, cluster=False), now, CLOUDS, check_captcha)
    see(watch, "u1")  # the scripts are known from here on

    with round_trips as rounds:
        see(watch, "u1")

    assert rounds.count == 1


def test_without_redis_nobody_is_watched_and_nobody_refused(now: Now) -> None:
    watch = BotCheck(connect("redis://127.0.0.1:9", cluster=False), now, CLOUDS, check_captcha)

    assert watch.verdict("u1", "203.0.113.7", None, logged_in=True) is None


# -- a sale's first hour ---------------------------------------------------------------------------------------------


def test_two_hundred_people_are_served_whatever_they_share(watch: BotCheck, now: Now) -> None:
    """They register, sign in, line up and try for seats; half sit behind one address, some share a device in threes,
    some block fingerprints and come from a home of their own."""
    dice = Random(2026)
    plans = []
    for i in range(200):
        address = "198.51.100.1" if i % 2 else f"192.0.2.{i}"
        device = None if i % 10 == 0 else f"device-{i // 3 if i < 30 else i:030}"
        at = dice.uniform(0, 3_000)
        for step in ("register", "login", "enter", *["hold"] * dice.randint(1, 12)):
            at += dice.lognormvariate(1.5, 0.9)
            plans.append((at, i, step in ("register", "login"), address, device))
    start, actions = now.moment, Counter[str]()
    for at, i, anonymous, address, device in sorted(plans, key=lambda plan: plan[:2]):
        now.moment = start + timedelta(seconds=at)
        account = f"fan-{i}@example.com" if anonymous else str(UUID(int=i))
        actions[see(watch, account, address, device, not anonymous).action] += 1

    assert actions.keys() <= {"NONE", "SLOWER", "CAPTCHA"}
    assert actions["CAPTCHA"] + actions["SLOWER"] <= 0.02 * actions.total()


def test_a_farm_of_fifty_accounts_on_one_device_is_caught_at_its_twelfth(watch: BotCheck, now: Now) -> None:
    dice = Random(50)
    actions = []
    for i in range(50):
        now.passes(dice.lognormvariate(1, 1))
        actions.append(see(watch, str(UUID(int=i)), f"192.0.2.{i}").action)

    assert DEVICE_ACCOUNTS == ((12, 80), (6, 50), (4, 30))
    assert actions == ["NONE"] * 5 + ["CAPTCHA"] * 6 + ["REFUSED"] * 39


# -- what is done about it -------------------------------------------------------------------------------------------


class Door(Protocol):
    def __call__(
        self, account: str, observe: bool = False, address: str = HOME, **headers: str
    ) -> DomainError | None: ...


def problem(refusal: DomainError | None) -> type[DomainError] | None:
    return type(refusal) if refusal else None


@pytest.fixture
def at_the_door(watch: BotCheck) -> "Door":
    """Comes in as a request; how it was refused."""

    def come(account: str, observe: bool = False, address: str = HOME, **headers: str) -> DomainError | None:
        token = headers.get("X_Captcha_Token", "")
        try:
            watch.check(account, address, DEVICE, token, logged_in=True, observe=observe)
        except DomainError as refusal:
            return refusal
        return None

    return come


def test_in_a_hurry_from_a_cloud_is_told_to_wait_and_served_after_it(at_the_door: Door, now: Now) -> None:
    assert at_the_door("u1", address="203.0.113.7") is None
    now.passes(1)
    refused = at_the_door("u1", address="203.0.113.7")
    assert refused is not None
    assert (type(refused), refused.retry_after) == (RateLimited, 3)
    now.passes(3)
    assert at_the_door("u1", address="203.0.113.7") is None


def test_a_good_captcha_lets_the_suspected_in(at_the_door: Door) -> None:
    assert [problem(at_the_door(f"u{i}")) for i in range(6)] == [None] * 5 + [CaptchaRequired]
    assert problem(at_the_door("u5", X_Captcha_Token="robot")) is CaptchaFailed
    assert at_the_door("u5", X_Captcha_Token="human") is None


def test_no_captcha_helps_a_farm(at_the_door: Door) -> None:
    for i in range(12):
        at_the_door(f"u{i}")

    assert problem(at_the_door("u0", X_Captcha_Token="human")) is BotSuspected


def test_observed_a_farm_is_served_and_counted(at_the_door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    assert [at_the_door(f"u{i}", observe=True) for i in range(50)] == [None] * 50
    told = capsys.readouterr().out
    assert '"action":"refused"' in told.replace(" ", "")
    assert '"layer":"device"' in told.replace(" ", "")


def test_what_is_told_about_the_suspected_names_nobody(
    at_the_door: Door, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    accounts = [f"fan-{uuid4()}@example.com" for _ in range(20)]
    for account in accounts:
        at_the_door(account)

    told = capsys.readouterr().out + str([vars(record) for record in caplog.records])
    assert "BotActions" in told
    assert "looks like a bot" in told
    assert not any(secret in told for secret in (*accounts, HOME, DEVICE))
