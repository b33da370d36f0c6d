"""Starts a stack, attacks it and deletes it. The attack deletes and cancels everything it can reach."""

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
    seed: Annotated[int | None, typer.Option(help="Seed of the generated values; random by default.")] = None,
    examples: Annotated[int, typer.Option(help="Most calls per operation, without those of the coverage phase.")] = 20,
    phases: Annotated[str, typer.Option(help="schemathesis' phases to run.")] = PHASES,
    report: Annotated[Path | None, typer.Option(help="File for every failure, with the call that repeats it.")] = None,
) -> None:
    seed = random.randrange(2**32) if seed is None else seed  # noqa: S311 - variety, no secret
    table = Table("role", "calls", "failures", "seconds", title=f"seed {seed}")
    attacks = []
    with throwaway_stack(RateLimits="off") as stack:
        for role in ROLES:
            done = attack(stack["api"], stack["sandbox"], role, seed=seed, examples=examples, phases=phases.split(","))
            attacks.append(done)
            table.add_row(role, f"{done.calls:,}", str(done.failures), f"{done.seconds:.0f}")
    Console().print(table)
    failed = [each for each in attacks if each.failures]
    if report:
        report.write_text("\n".join(each.output for each in attacks), encoding="utf-8")
    elif failed:
        print("\n".join(each.output for each in failed))
    raise typer.Exit(1 if failed else 0)


if __name__ == "__main__":
    typer.run(main)
