"""The cost of an on-sale: quantities from the measured steps, prices from the price list."""

from dataclasses import replace
from datetime import date
from functools import cache

import pytest

from tools.cost.bill import Line, Price, Prices, Use, bill, read_prices
from tools.cost.deployed import Deployed, Function, read_templates
from tools.cost.measured import Measured, Step, read_measured
from tools.cost.sale import SALE_TERMS, Sale, idle_month, on_sale, steps_of

NOTHING = Step(requests=0, answer_bytes=0, redis_commands=0, redis_bytes=0)
LOOK = Step(requests=1, answer_bytes=300, redis_commands=1, redis_bytes=1024, calls={"Look": 1.0})
MEASURED = Measured(
    on="a Sunday",
    steps=dict.fromkeys(("log_in", "browse", "enter", "buy"), NOTHING) | {"poll": LOOK, "counter": LOOK},
    milliseconds={"Look": 10.0, SALE_TERMS: 0.0},
    log_bytes={"Look": 500.0},
    metrics=0,
)
DEPLOYED = Deployed(
    dict.fromkeys(("Look", SALE_TERMS), Function(1769, "arm64", 0)), 0, {}, brokers=0, broker_gb=0, secrets=0
)
really_deployed = cache(read_templates)
SALE = Sale(crowd=1000, seats=10, minutes=10, poll=5, rate=1, each=1, buying=1)


def _lines(sale: Sale, deployed: Deployed = DEPLOYED, measured: Measured = MEASURED) -> list[Line]:
    return bill(on_sale(sale, deployed, measured), read_prices())


def _usd(sale: Sale) -> float:
    return sum(line.usd for line in _lines(sale))


def _quantity(lines: list[Line], service: str, unit: str) -> float:
    return sum(line.quantity for line in lines if (line.service, line.unit) == (service, unit))


def test_a_bill_is_quantities_times_prices() -> None:
    prices = Prices("nowhere", date(2026, 1, 1), 730, {"cup": Price("Tea", "cups", usd=3.0, per=2)})
    (line,) = bill([Use("cup", 5), Use("cup", 1)], prices)
    assert (line.service, line.quantity, line.usd) == ("Tea", 6, 9.0)


def test_the_bill_of_a_small_sale_equals_a_manual_calculation() -> None:
    lines = _lines(SALE)
    # Ten are admitted, one a second: they wait 0 to 10 s, 5 on average. The other 990 wait until all is sold. Each
    # polls every 5 s, and the admitted ones once more.
    polls = (10 * 5 + 990 * 10) / 5 + 10
    assert polls == 2000
    assert _quantity(lines, "API Gateway", "requests") == polls
    assert sum(line.usd for line in lines if line.service == "API Gateway") == pytest.approx(2000 * 3.50 / 1e6)
    gigabyte_seconds = 2000 * 0.010 * 1769 / 1024
    assert sum(line.usd for line in lines if line.service == "Lambda") == pytest.approx(
        (2000 + 300) * 0.20 / 1e6 + gigabyte_seconds * 0.0000133334
    )
    assert _quantity(lines, "ElastiCache", "ECPUs") == polls
    assert _quantity(lines, "CloudWatch logs", "GB") == pytest.approx(2000 * 500 / 1e9)


def test_with_less_memory_the_same_work_takes_longer() -> None:
    half = replace(DEPLOYED, functions=dict.fromkeys(("Look", SALE_TERMS), Function(512, "arm64", 0)))
    assert _quantity(_lines(SALE, half), "Lambda", "GB-seconds") == pytest.approx(
        2000 * 0.010 * 1769 / 512 * 512 / 1024
    )


def test_more_frequent_polls_cost_more() -> None:
    assert _usd(replace(SALE, poll=1)) > _usd(replace(SALE, poll=3)) > _usd(replace(SALE, poll=10))


def test_with_the_counter_at_the_edge_a_larger_crowd_causes_no_more_origin_requests() -> None:
    small, large = (steps_of(Sale(crowd, 20_000, 30, 3, edge_counter=True))["counter"] for crowd in (50_000, 1_000_000))
    assert small == large <= 30 * 60 * 3


def test_the_counter_at_the_edge_is_cheaper_for_a_crowd() -> None:
    deployed, measured, prices = really_deployed(), read_measured(), read_prices()
    sale = Sale(50_000, 20_000, 30, 3)
    at_origin, at_edge = (
        sum(line.usd for line in bill(on_sale(one, deployed, measured), prices))
        for one in (sale, replace(sale, edge_counter=True))
    )
    assert at_edge < at_origin / 2


@pytest.mark.parametrize(
    ("sale", "sold"),
    [
        (Sale(crowd=100, seats=1000, minutes=60, poll=5, each=2, buying=0.5), 100),
        (Sale(crowd=10_000, seats=1000, minutes=60, poll=5, each=2, buying=0.5), 1000),
        (Sale(crowd=10_000, seats=1000, minutes=1, poll=5, rate=1, each=2, buying=0.5), 60),
    ],
)
def test_sales_are_limited_by_buyers_seats_and_time(sale: Sale, sold: int) -> None:
    assert sale.sold == sold


def test_a_schedule_costs_money_in_an_idle_month_too() -> None:
    every_minute = replace(DEPLOYED, functions={"Look": Function(512, "arm64", 43_800)})
    lines = bill(idle_month(every_minute, MEASURED), read_prices())
    assert _quantity(lines, "EventBridge Scheduler", "invocations") == 43_800
    assert _quantity(lines, "Lambda", "GB-seconds") == pytest.approx(43_800 * 0.010 / 2)


def test_an_idle_month_includes_the_brokers_of_the_templates() -> None:
    lines = bill(idle_month(really_deployed(), read_measured()), read_prices())
    assert _quantity(lines, "MSK", "broker hours") == 4 * 730
    assert _quantity(lines, "MSK", "GB-months") == 4 * 100


def test_every_function_that_an_on_sale_calls_is_measured_and_deployed() -> None:
    deployed, measured = really_deployed(), read_measured()
    called = {function for step in measured.steps.values() for function in step.calls}
    scheduled = {name for name, function in deployed.functions.items() if function.runs_a_month}
    assert called | scheduled <= measured.milliseconds.keys() & deployed.functions.keys()
