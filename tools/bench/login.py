"""Measures logins and the authorizer, and whether the time of a login reveals which addresses have accounts.

    make bench-login

Handlers run in this process, with their own Postgres, Redis, sandbox and moto; initialisation is measured in new
processes. Prints Markdown with elapsed time and processor time, on which a busy machine has less effect.
"""

import asyncio
import io
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import psycopg
from moto import mock_aws

from common.domain.clock import new_id, utc_now
from common.domain.ids import UserId
from common.runtime.log import log
from common.stores.postgres import Database
from common.wiring.redis_client import redis_client
from emulator import services
from functions.auth.adapters.account_repository import AccountRepository
from functions.auth.adapters.password_hasher import PasswordHasher
from functions.auth.adapters.vault import Vault
from functions.auth.domain.account import Account, NewAccount, Role
from local.sandbox.server import serve
from local.sandbox.settings import Settings
from local.seed.personal_data import make_kms_key, open_vault
from local.seed.secrets import make, publish
from migrations.__main__ import LOGINS, migrate, set_passwords
from tools.handlers import deployed_functions

ROOT = Path(__file__).parents[2]
COSTS = (10, 11, 12)
LOGINS_MEASURED = 40
AUTHORIZER_CALLS = 1000
GUESSES = 200  # wrong passwords for addresses with an account, and as many for addresses without
INIT_ROUNDS = 3
PASSWORD, WRONG = "correct-horse-7", "wrong-horse-77"
KMS_KEY = "alias/bench"

Event = dict[str, Any]


def main() -> None:
    print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f} before the run\n")
    print("| function | init, processor ms over bare Python |\n|---|---:|")
    for name, took in _init_times().items():
        print(f"| {name} | {took:.0f} |")
    with _deployed() as (accounts, vault):
        _print_logins(accounts)
        _print_authorizer(accounts)
        _print_timing_of_unknown_accounts(accounts, vault)
    print(f"\nload average {os.getloadavg()[0]:.1f} after the run")


def _print_logins(accounts: AccountRepository) -> None:
    print("\n| bcrypt cost | login p50 ms | p95 ms | processor ms | of which bcrypt | part |")
    print("|---:|---:|---:|---:|---:|---:|")
    for cost in COSTS:
        _rebuild_wiring(BCRYPT_COST=str(cost))
        hasher = PasswordHasher(cost)
        email, password_hash = f"cost-{cost}@example.com", hasher.hash(PASSWORD)
        _open_account(accounts, email, password_hash)
        _log_in(email, PASSWORD)  # warm
        clock, whole, bcrypt = [], [], []
        for _ in range(LOGINS_MEASURED):
            elapsed, processor = _timed(partial(_log_in, email, PASSWORD, expect=200))
            clock.append(elapsed)
            whole.append(processor)
            bcrypt.append(_timed(partial(hasher.matches, PASSWORD, password_hash))[1])
        part = statistics.median(bcrypt) / statistics.median(whole)
        print(f"| {cost} | {_p50(clock)} | {_p95(clock)} | {_p50(whole)} | {_p50(bcrypt)} | {part:.0%} |")


def _print_authorizer(accounts: AccountRepository) -> None:
    _rebuild_wiring(BCRYPT_COST="4")
    _open_account(accounts, "caller@example.com", PasswordHasher(4).hash(PASSWORD))
    event = _sample("authorize_request")
    event["headers"]["Authorization"] = f"Bearer {_log_in('caller@example.com', PASSWORD)['accessToken']}"
    handler = import_module("functions.auth.handlers.authorize_request").handler
    handler(event, None)
    before = _commands()
    times, processor = zip(*[_timed(lambda: handler(event, None)) for _ in range(AUTHORIZER_CALLS)], strict=True)
    redis_calls = {name: calls - before.get(name, 0) for name, calls in _commands().items()}
    a_call = ", ".join(
        f"{calls / AUTHORIZER_CALLS:g} {name}" for name, calls in redis_calls.items() if calls and name != "info"
    )
    print(
        f"\nauthorizer, warm: p50 {_p50(times)} ms, p95 {_p95(times)} ms, {_p50(processor)} ms processor time;"
        f" Redis commands per call: {a_call}"
    )


def _print_timing_of_unknown_accounts(accounts: AccountRepository, vault: Vault) -> None:
    """Wrong passwords, in turns, each for another address, so that no lockout begins."""
    _rebuild_wiring(BCRYPT_COST="11")
    password_hash = PasswordHasher(11).hash(PASSWORD)
    times: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for number in range(GUESSES):
        _open_account(accounts, f"known-{number}@example.com", password_hash)
    _log_in("warm@example.com", WRONG)
    for number in range(GUESSES):
        for known in (True, False) if number % 2 else (False, True):
            email = f"{'known' if known else 'unknown'}-{number}@example.com"
            times[known].append(_timed(partial(_log_in, email, WRONG, expect=401)))
    print(
        f"\n| wrong password, {GUESSES} times | account, ms | no account, ms | difference | standard error | medians |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for name, which in (("elapsed", 0), ("processor", 1)):
        account, none = ([each[which] for each in times[known]] for known in (True, False))
        with_one, without = statistics.mean(account), statistics.mean(none)
        error = math.sqrt((statistics.variance(account) + statistics.variance(none)) / GUESSES)
        medians = statistics.median(account) - statistics.median(none)
        print(f"| {name} | {with_one:.1f} | {without:.1f} | {with_one - without:+.2f} | {error:.2f} | {medians:+.2f} |")


def _init_times() -> dict[str, float]:
    """Time of a new process that imports the handler, with compiled bytecode: the lowest of several, in turns."""
    handlers = [function for function in deployed_functions() if function.service == "auth"]
    codes = {"": "pass"} | {each.module.split(".")[-1]: f"import {each.module}" for each in handlers}
    for code in codes.values():
        _fresh_process(code)  # compiles
    took: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(INIT_ROUNDS):
        for name, code in codes.items():
            took[name].append(_fresh_process(code))
    bare = min(took.pop(""))
    return {name: min(times) - bare for name, times in sorted(took.items(), key=lambda each: min(each[1]))}


def _fresh_process(code: str) -> float:
    """Processor time in milliseconds."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers/common/python")]),
        "PYTHONPYCACHEPREFIX": str(ROOT / ".local/pycache"),
        "POWERTOOLS_SERVICE_NAME": "auth",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000


@contextmanager
def _deployed() -> Iterator[tuple[AccountRepository, Vault]]:
    """Set the functions' environment variables and start the stores. Returns the accounts."""
    log.setLevel("CRITICAL")
    secrets = {**make(), "database/user_service": {"password": "bench"}}
    with (
        tempfile.TemporaryDirectory(prefix="bench-login-") as folder,
        services.start({"postgres": {"database": "ticketing"}, "redis": {}}, Path(folder)) as running,
        _sandbox() as sandbox_url,
        mock_aws(),
    ):
        migrate(running.postgres)
        set_passwords(running.postgres, dict.fromkeys(LOGINS, "bench"))
        address = psycopg.conninfo.conninfo_to_dict(running.postgres)
        os.environ.update(
            {
                "DATABASE_HOST": str(address["host"]),
                "DATABASE_PORT": str(address["port"]),
                "DATABASE_NAME": str(address["dbname"]),
                "DATABASE_USER": "user_service",
                "DATABASE_SSLMODE": "disable",
                "REDIS_URL": running.redis,
                "REDIS_CLUSTER": "false",
                "SECRETS_PREFIX": "bench/",
                "PERSONAL_DATA_KMS_KEY": KMS_KEY,
                "CAPTCHA_URL": f"{sandbox_url}/recaptcha/api/siteverify",
                "TOKEN_ISSUER": "ticketing",
                "TOKEN_AUDIENCE": "ticketing-api",
                "RATE_LIMITS": "off",
                "POWERTOOLS_METRICS_DISABLED": "true",
                "AWS_DEFAULT_REGION": "ap-northeast-2",
                "AWS_ACCESS_KEY_ID": "bench",
                "AWS_SECRET_ACCESS_KEY": "bench",
            }
        )
        publish(secrets, "bench/")
        make_kms_key(KMS_KEY)
        database = Database(running.postgres)
        vault = open_vault(database, KMS_KEY, secrets)
        yield AccountRepository(database, vault), vault
        database.close()


@contextmanager
def _sandbox() -> Iterator[str]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = serve(Settings(), "http://127.0.0.1:9/payments/webhook", port=0)
    yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(30)
    asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def _open_account(accounts: AccountRepository, email: str, password_hash: str) -> None:
    account = Account(UserId(new_id()), email, "Bench", phone=None, role=Role.USER, created_at=utc_now())
    accounts.add(NewAccount(account, f"ci of {email}", password_hash))


def _sample(function: str) -> Event:
    return cast(Event, json.loads((ROOT / "events" / f"{function}.json").read_text(encoding="utf-8")))


def _log_in(email: str, password: str, expect: int | None = None) -> Event:
    event = _sample("log_in")
    event["body"] = json.dumps({"email": email, "password": password, "captchaToken": "sandbox-human"})
    event["requestContext"]["requestId"] = str(uuid4())
    with redirect_stdout(io.StringIO()):  # without the log record of the request
        response = import_module("functions.auth.handlers.log_in").handler(event, None)
    if expect is not None and response["statusCode"] != expect:
        raise SystemExit(f"{response['statusCode']} instead of {expect}: {response['body']}")
    return cast(Event, json.loads(response["body"]))


def _rebuild_wiring(**environment: str) -> None:
    """Set environment variables, and rebuild the objects that depend on them."""
    os.environ.update(environment)
    for module, name in (("login", "login"), ("passwords", "password_hasher")):
        getattr(import_module(f"functions.auth.wiring.{module}"), name).cache_clear()


def _commands() -> dict[str, int]:
    """Calls so far by Redis command."""
    found: dict[str, dict[str, int]] = redis_client().info("commandstats")
    return {name.removeprefix("cmdstat_"): counts["calls"] for name, counts in found.items()}


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    """Elapsed milliseconds, and processor milliseconds of this thread."""
    began, processor = time.perf_counter(), time.thread_time()
    call()
    return (time.perf_counter() - began) * 1000, (time.thread_time() - processor) * 1000


def _p50(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.1f}"


def _p95(times: Sequence[float]) -> str:
    return f"{statistics.quantiles(times, n=20)[-1]:.1f}"


if __name__ == "__main__":
    main()
