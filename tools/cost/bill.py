"""Multiplies quantities by prices. Knows nothing about what they mean."""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

FILE = Path(__file__).parent / "prices.toml"


@dataclass(frozen=True)
class Price:
    service: str
    unit: str
    usd: float  # for `per` of `unit`
    per: int
    verified: bool = False
    note: str = ""


@dataclass(frozen=True)
class Prices:
    region: str
    read: date
    month_hours: float
    of: Mapping[str, Price]


@dataclass(frozen=True)
class Use:
    """A quantity of one billed unit, by the name of its price. `what` names the purpose."""

    price: str
    quantity: float
    what: str = ""


@dataclass(frozen=True)
class Line:
    service: str
    what: str
    quantity: float
    unit: str
    usd: float
    verified: bool


def read_prices(path: Path = FILE) -> Prices:
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    prices = {name: Price(**price) for name, price in content["prices"].items()}
    return Prices(content["region"], content["read"], content["month_hours"], prices)


def bill(uses: Iterable[Use], prices: Prices) -> list[Line]:
    """A line for each price and purpose, most expensive first. Raises KeyError for an unknown price."""
    total: defaultdict[tuple[str, str], float] = defaultdict(float)
    for use in uses:
        total[use.price, use.what] += use.quantity
    lines = []
    for (name, what), quantity in total.items():
        price = prices.of[name]
        usd = quantity * price.usd / price.per
        lines.append(Line(price.service, what or price.unit, quantity, price.unit, usd, price.verified))
    return sorted(lines, key=lambda line: -line.usd)


def by_service(lines: Iterable[Line]) -> dict[str, float]:
    """Dollars by service, most expensive first."""
    total: defaultdict[str, float] = defaultdict(float)
    for line in lines:
        total[line.service] += line.usd
    return dict(sorted(total.items(), key=lambda each: -each[1]))
