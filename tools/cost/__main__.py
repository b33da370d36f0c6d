"""Prints the price of an on-sale on AWS, and of a month without one.

python -m tools.cost --crowd 50000 --seats 20000 --minutes 30 --poll 3 --edge-counter
python -m tools.cost --write      updates the example in docs/cost.md and docs/cost.svg
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown

from tools.cost.bill import bill, read_prices
from tools.cost.deployed import ROOT, read_templates
from tools.cost.measured import read_measured
from tools.cost.report import chart, markdown, svg, total
from tools.cost.sale import Sale, idle_month, on_sale

DOCS = ROOT / "docs"
BEGIN, END = "<!-- written by `python -m tools.cost --write` -->", "<!-- end -->"


def main(
    crowd: Annotated[int, typer.Option(min=1, help="Buyers who come")] = 50_000,
    seats: Annotated[int, typer.Option(min=1, help="Seats on sale")] = 20_000,
    minutes: Annotated[float, typer.Option(min=1, help="Minutes that the sale is open")] = 30,
    poll: Annotated[float, typer.Option(min=0.1, help="Seconds between two polls of a buyer")] = 5,
    edge_counter: Annotated[
        bool, typer.Option(help="Poll the serving position that CloudFront caches, not the buyer's own status")
    ] = False,
    rate: Annotated[float, typer.Option(min=0.1, help="Buyers admitted a second")] = 10,
    each: Annotated[int, typer.Option(min=1, max=4, help="Tickets a buyer takes")] = 2,
    buying: Annotated[float, typer.Option(min=0.01, max=1, help="Part of the admitted buyers that buys")] = 0.8,
    write: Annotated[bool, typer.Option(help="Write the tables of docs/cost.md and docs/cost.svg instead")] = False,
) -> None:
    """Prices an on-sale with the templates, measured.toml and prices.toml."""
    prices, deployed, measured = read_prices(), read_templates(), read_measured()
    sale = Sale(crowd, seats, minutes, poll, edge_counter, rate, each, buying)
    if write:
        other = Sale(crowd, seats, minutes, poll, not edge_counter, rate, each, buying)
        sales = sorted((sale, other), key=lambda one: one.edge_counter)
        bills = [(_title(one), bill(on_sale(one, deployed, measured), prices), one.sold) for one in sales]
        idle = bill(idle_month(deployed, measured), prices)
        texts = [markdown(title, lines, sold) for title, lines, sold in bills] + [markdown("An idle month", idle)]
        source = f"Measured on {measured.on}; prices of {prices.region}, read on {prices.read}."
        _put(DOCS / "cost.md", "\n\n".join([source, *texts]))
        charts = [chart(title, lines) for title, lines, _ in bills] + [chart("An idle month", idle)]
        (DOCS / "cost.svg").write_text(svg(charts), encoding="utf-8")
        return
    console = Console()
    lines = bill(on_sale(sale, deployed, measured), prices)
    console.print(Markdown(markdown(_title(sale), lines, sale.sold)))
    console.print(chart("", lines))
    month = total(bill(idle_month(deployed, measured), prices))
    console.print(
        f"\nAn idle month: {month:,.2f} dollars. ° marks a price that was not verified (tools/cost/prices.toml)."
    )


def _title(sale: Sale) -> str:
    what = "the edge counter" if sale.edge_counter else "their status"
    return (
        f"{sale.crowd:,} buyers, {sale.seats:,} seats, {sale.minutes:g} minutes,"
        f" a poll of {what} every {sale.poll:g} seconds"
    )


def _put(file: Path, text: str) -> None:
    before, _, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    file.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
