"""A cold start loads what tools/bench/init_budget.toml allows; `make budget` writes that anew when more is meant."""

import platform
import random
import re
import sys
import tomllib

import pytest

from tools.bench.budget import COUNTED_ON, FILE, Budget, Module, handlers, over_budget, overrun, read, written

HERE = (platform.system(), f"{sys.version_info.major}.{sys.version_info.minor}")

LOADED = {
    "functions.queue.status": Module(4_000, ""),
    "common.http.endpoint": Module(9_000, "functions.queue.status"),
    "pydantic": Module(100_000, "common.http.endpoint"),
}
WITHIN = Budget(frozenset({"pydantic"}), kilobytes=150)


counted_here = pytest.mark.skipif(
    HERE != COUNTED_ON, reason=f"the budget is counted on {' with Python '.join(COUNTED_ON)}, as Lambda's"
)


@pytest.mark.timeout(300)
@pytest.mark.starts_processes
@counted_here
def test_no_function_loads_more_at_its_start_than_its_budget() -> None:
    over = over_budget(FILE.read_text(encoding="utf-8"), handlers())
    assert not over, "\n".join(
        ["over budget; import it where it is needed, or `make budget` if every start needs it:"]
        + [f"{function}: {line}" for function, lines in over.items() for line in lines]
    )


@pytest.mark.starts_processes
@counted_here
def test_what_a_function_may_not_load_is_seen_although_others_of_its_kind_may() -> None:
    text = FILE.read_text(encoding="utf-8")
    some = dict(random.sample(list(handlers().items()), 5))
    function = next(iter(some))
    content = tomllib.loads(text)
    bundle = random.choice(content["functions"][function]["bundles"])
    entry = re.search(rf"^{function} = .*$", text, re.MULTILINE)
    assert entry
    narrower = re.sub(rf'"{bundle}"(, )?', "", entry[0]).replace(", ]", "]")

    over = over_budget(text.replace(entry[0], narrower), some)

    assert over.keys() == {function}
    assert {line.partition(" (")[0] for line in over[function]} == set(content["bundles"][bundle])


def test_every_function_has_a_budget() -> None:
    assert read(FILE.read_text(encoding="utf-8")).keys() == handlers().keys()


def test_an_import_over_budget_is_named_with_the_way_it_came() -> None:
    loaded = {
        **LOADED,
        "httpx": Module(20_000, "common.protection.captcha"),
        "common.protection.captcha": Module(2_000, "common.http.endpoint"),
    }
    assert overrun(loaded, WITHIN) == ["httpx (20 kB), by way of common.protection.captcha"]


def test_a_module_that_a_library_loads_is_traced_back_to_ours() -> None:
    loaded = {**LOADED, "ssl": Module(50_000, "asyncio"), "asyncio": Module(0, "common.http.endpoint")}
    budget = Budget(frozenset({"pydantic", "asyncio"}), kilobytes=500)
    assert overrun(loaded, budget) == ["ssl (50 kB), by way of asyncio ← common.http.endpoint"]


def test_our_own_modules_are_weighed_but_not_counted() -> None:
    assert overrun({**LOADED, "functions.queue.place": Module(30_000, "")}, WITHIN) == []
    assert len(overrun({**LOADED, "functions.queue.place": Module(60_000, "")}, WITHIN)) == 1


def test_what_is_written_is_read_back_and_holds() -> None:
    functions = {
        "A": LOADED,
        "B": {**LOADED, "redis": Module(1, "common.stores.redis"), "_ssl": Module(0, "redis")},
    }
    budgets = read(written(functions))
    assert budgets["B"].modules == {"pydantic", "redis", "_ssl"}
    assert budgets["A"].modules == {"pydantic"}
    assert not any(overrun(loaded, budgets[name]) for name, loaded in functions.items())
