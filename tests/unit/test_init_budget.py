"""A cold start loads only what tools/bench/init_budget.toml allows."""

import platform
import random
import sys
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest

from tools.bench.budget import COUNTED_ON, FILE, Budget, Module, handlers, over_budget, overrun, read

HERE = (platform.system(), f"{sys.version_info.major}.{sys.version_info.minor}")

RULES = read(FILE.read_text(encoding="utf-8"))
LOADED = {
    "functions.queue.handlers.read_queue_status": Module(4_000, "__main__"),
    "common.http.endpoint": Module(9_000, "functions.queue.handlers.read_queue_status"),
    "pydantic": Module(100_000, "common.http.endpoint"),
}
WITHIN = Budget(frozenset({"httpx", "ssl"}), known=frozenset({"pydantic", "httpx", "ssl", "redis"}), kilobytes=150)

counted_here = pytest.mark.skipif(
    HERE != COUNTED_ON, reason=f"the budget is counted on {' with Python '.join(COUNTED_ON)}, as Lambda's"
)


@pytest.mark.timeout(300)
@pytest.mark.starts_processes
@counted_here
def test_no_function_loads_more_at_its_start_than_its_budget() -> None:
    try:
        over = over_budget(RULES, handlers())
    except SystemExit as reason:  # a handler cannot be imported
        raise pytest.fail.Exception(str(reason), pytrace=False) from None
    assert not over, "\n".join(f"{function}: {line}" for function, lines in over.items() for line in lines)


@pytest.mark.starts_processes
@counted_here
def test_a_forbidden_import_is_found_although_similar_functions_may_load_it() -> None:
    some = dict(random.sample(list(handlers().items()), 5))
    function = random.choice(list(some))
    library = random.choice(["pydantic", "aws_lambda_powertools", "jmespath"])  # of every function
    narrower = replace(RULES, never={**RULES.never, library: (function,)})

    over = over_budget(narrower, some)

    assert over.keys() == {function}
    assert [line.partition(" (")[0] for line in over[function]] == [library]


@pytest.mark.starts_processes
@counted_here
def test_an_import_of_only_one_of_several_similar_functions_is_found() -> None:
    """They are counted in processes forked from one that has loaded what the first of them loads."""
    rules = replace(RULES, only={}, never={"psycopg": ("*",)}, groups=(), kilobytes=99_999)
    rules = replace(rules, free=RULES.free | RULES.only.keys() | RULES.never.keys())
    without, with_it = "QueueStatusFunction", "PaymentsListFunction"
    for several in ([without, with_it], [with_it, without]):
        over = over_budget(rules, {function: handlers()[function] for function in several})
        assert over.keys() == {with_it}


def test_a_new_function_needs_no_entry() -> None:
    budget = RULES.budget("BrandNewFunction")
    assert budget.kilobytes == RULES.kilobytes
    assert {"kafka", "boto3", "httpx", "authlib", "jwt", "cryptography.hazmat"} <= budget.forbidden
    assert not {"psycopg", "redis", "pydantic"} & budget.forbidden


def test_a_function_that_a_rule_names_may_load_what_others_may_not() -> None:
    assert "kafka" not in RULES.budget("OutboxRelayFunction").forbidden
    assert "psycopg" in RULES.budget("QueueStatusFunction").forbidden
    assert RULES.budget("QueueStatusFunction").kilobytes < RULES.kilobytes


def test_every_rule_matches_an_existing_function() -> None:
    unused = {each for each in RULES.patterns() if not any(fnmatchcase(name, each) for name in handlers())}
    assert unused == set()


def test_an_import_over_budget_is_reported_with_its_import_chain_and_what_to_do() -> None:
    loaded = {
        **LOADED,
        "httpx": Module(20_000, "common.protection.captcha"),
        "httpx._client": Module(10_000, "httpx"),
        "common.protection.captcha": Module(2_000, "common.http.endpoint"),
    }
    assert overrun(loaded, WITHIN) == [
        "httpx (30 kB), imported by common.protection.captcha: import it in the function that uses it,"
        " or if all starts need it, allow it in init_budget.toml (httpx)"
    ]


def test_a_library_that_no_rule_knows_is_reported() -> None:
    loaded = {**LOADED, "requests": Module(20_000, "common.http.endpoint"), "json": Module(0, "requests")}
    assert overrun(loaded, WITHIN) == [
        "requests (20 kB), imported by common.http.endpoint: import it in the function that uses it,"
        " or name the functions that may load it in init_budget.toml, [only]"
    ]


def test_a_part_of_a_library_may_be_forbidden_where_the_rest_is_not() -> None:
    budget = Budget(frozenset({"cryptography.hazmat"}), frozenset({"cryptography", "cryptography.hazmat"}), 500)
    loaded = {
        "cryptography": Module(1_000, "redis"),
        "cryptography.hazmat": Module(1_000, "jwt"),
        "cryptography.hazmat.bindings": Module(1_000, "cryptography.hazmat"),
    }
    assert [line.partition(",")[0] for line in overrun(loaded, budget)] == ["cryptography.hazmat (2 kB)"]


def test_a_module_that_a_library_loads_is_traced_back_to_ours() -> None:
    loaded = {**LOADED, "ssl": Module(50_000, "asyncio"), "asyncio": Module(0, "common.http.endpoint")}
    assert [line.partition(":")[0] for line in overrun(loaded, replace(WITHIN, kilobytes=500))] == [
        "ssl (50 kB), imported by asyncio ← common.http.endpoint"
    ]


def test_our_own_modules_count_by_their_size_only() -> None:
    assert overrun({**LOADED, "functions.queue.place": Module(30_000, "")}, WITHIN) == []
    assert len(overrun({**LOADED, "functions.queue.place": Module(60_000, "")}, WITHIN)) == 1
