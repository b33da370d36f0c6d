"""Shows the bill as a table with bars, in the terminal and in docs/cost.md with docs/cost.svg."""

from collections.abc import Sequence
from io import StringIO

from rich.bar import Bar
from rich.console import Console
from rich.table import Table

from tools.cost.bill import Line, by_service

LINES = 14  # the most expensive; the others are summed in one


def total(lines: Sequence[Line]) -> float:
    return sum(line.usd for line in lines)


def markdown(title: str, lines: Sequence[Line], tickets: int | None = None) -> str:
    """The most expensive lines of a bill. ° marks a price that was not verified."""
    whole = total(lines)
    heading = [f"**{title}: {whole:,.2f} dollars"]
    if tickets:
        heading.append(f"; {whole / tickets:.4f} for each of {tickets:,} tickets sold")
    rows = ["".join(heading) + "**", "", "| service | what | quantity | dollars | part |", "|---|---|---:|---:|---:|"]
    rows += [
        f"| {line.service} | {line.what} | {_number(line.quantity)} {line.unit} |"
        f" {line.usd:,.2f}{'' if line.verified else '°'} | {line.usd / whole:.0%} |"
        for line in lines[:LINES]
    ]
    rest = total(lines[LINES:])
    rows.append(f"| | {len(lines[LINES:])} smaller lines | | {rest:,.2f} | {rest / whole:.0%} |")
    return "\n".join(rows)


def _number(quantity: float) -> str:
    return f"{quantity:,.0f}" if quantity >= 100 else f"{quantity:.3g}"


def chart(title: str, lines: Sequence[Line]) -> Table:
    """A bar for each service, most expensive first."""
    services = by_service(lines)
    table = Table(title=title, box=None, title_justify="left")
    table.add_column("service")
    table.add_column("dollars", justify="right")
    table.add_column("", width=50)
    most = max(services.values())
    for service, usd in services.items():
        table.add_row(service, f"{usd:,.2f}", Bar(most, 0, usd, width=50, color="dodger_blue1"))
    return table


def svg(charts: Sequence[Table]) -> str:
    console = Console(record=True, width=90, file=StringIO())
    for each in charts:
        console.print(each, "")
    return console.export_svg(title="cost")
