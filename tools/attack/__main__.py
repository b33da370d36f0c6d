"""Attacks a stack of its own, which it starts and forgets: it deletes and cancels what it can get hold of."""

import random
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tools.attack.run import ROLES, attack
from tools.throwaway_stack import throwaway_stack

PHASES = "examples,coverage,fuzzing,stateful"


def main(
    seed: Annotated[int | None, typer.Option(help="Of the generated values; random if not given.")] = None,
    examples: Annotated[int, typer.Option(help="Calls an operation at most, besides the coverage phase's.")] = 20,
    phases: Annotated[str, typer.Option(help="Which of schemathesis' phases.")] = PHASES,
    told: Annotated[Path | None, typer.Option(help="A file for every failure with the call that repeats it.")] = None,
) -> None:
    seed = random.randrange(2**32) if seed is None else seed  # noqa: S311 - variety, no secret
    table = Table("role", "calls", "failures", "seconds", title=f"seed {seed}")
    reports = []
    with throwaway_stack(RateLimits="off") as stack:
        for role in ROLES:
            made = attack(stack["api"], stack["sandbox"], role, seed=seed, examples=examples, phases=phases.split(","))
            reports.append(made)
            table.add_row(role, f"{made.calls:,}", str(made.failures), f"{made.seconds:.0f}")
    Console().print(table)
    if told:
        told.write_text("\n".join(each.told for each in reports), encoding="utf-8")
    elif any(each.failures for each in reports):
        print("\n".join(each.told for each in reports if each.failures))
    raise typer.Exit(1 if any(each.failures for each in reports) else 0)


if __name__ == "__main__":
    typer.run(main)
