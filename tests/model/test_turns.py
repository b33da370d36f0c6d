"""The turns of two operations at once: chosen, repeatable, and never two at a time."""

from collections.abc import Callable

import psycopg
import pytest

from common.stores.postgres import Database
from tools.simulation.model.turns import Turn, take_turns


def _never() -> int:
    return 0


def _steps(name: str, trace: list[str]) -> Callable[[Turn], object]:
    def run(turn: Turn) -> None:
        for step in range(3):
            turn.exchange(lambda: trace.append(f"{name}{step}"))  # noqa: B023

    return run


@pytest.mark.parametrize(
    ("lengths", "trace"),
    [
        ([], "a0 a1 a2 b0 b1 b2"),
        ([0], "b0 b1 b2 a0 a1 a2"),
        ([1], "a0 b0 b1 b2 a1 a2"),
        ([1, 1, 1], "a0 b0 a1 b1 b2 a2"),
        ([2, 9], "a0 a1 b0 b1 b2 a2"),
    ],
)
def test_the_turn_passes_after_the_chosen_number_of_exchanges(lengths: list[int], trace: str) -> None:
    found: list[str] = []
    take_turns((_steps("a", found), _steps("b", found)), lengths, _never)
    assert " ".join(found) == trace


def test_an_operation_that_waits_for_the_others_lock_goes_on_when_it_is_released(superuser: Database) -> None:
    trace: list[str] = []

    def run(name: str) -> Callable[[Turn], object]:
        def locked(turn: Turn) -> None:
            with psycopg.connect(superuser._conninfo, autocommit=True) as connection:
                for statement in ("BEGIN", "SELECT pg_advisory_xact_lock(1)", "SELECT 1", "COMMIT"):
                    turn.exchange(lambda: connection.execute(statement))  # noqa: B023
                    trace.append(f"{name} {statement.partition('(')[0]}")

        return locked

    waits = lambda: len(superuser.rows("SELECT FROM pg_locks WHERE NOT granted"))  # noqa: E731
    take_turns((run("a"), run("b")), [2, 9], waits)
    lock = "SELECT pg_advisory_xact_lock"
    assert trace == [
        *("a BEGIN", f"a {lock}"),
        *("b BEGIN",),  # and waits for the lock
        *("a SELECT 1", "a COMMIT"),
        *(f"b {lock}", "b SELECT 1", "b COMMIT"),
    ]


def test_two_operations_that_wait_for_each_other_both_end(superuser: Database) -> None:
    def run(first: int, second: int) -> Callable[[Turn], object]:
        def locked(turn: Turn) -> str:
            with psycopg.connect(superuser._conninfo, autocommit=True) as connection:
                turn.exchange(lambda: connection.execute("BEGIN"))
                turn.exchange(lambda: connection.execute("SELECT pg_advisory_xact_lock(%s)", (first,)))
                try:
                    turn.exchange(lambda: connection.execute("SELECT pg_advisory_xact_lock(%s)", (second,)))
                except psycopg.errors.DeadlockDetected:
                    return "deadlock"
                return "locked"

        return locked

    waits = lambda: len(superuser.rows("SELECT FROM pg_locks WHERE NOT granted"))  # noqa: E731
    ended = take_turns((run(1, 2), run(2, 1)), [2], waits)
    assert sorted(turn.result for turn in ended) == ["deadlock", "locked"]


def test_an_error_of_an_operation_is_raised_when_both_have_ended() -> None:
    trace: list[str] = []

    def fails(turn: Turn) -> None:
        turn.exchange(lambda: trace.append("a"))
        raise ValueError("a")

    with pytest.raises(ValueError, match="a"):
        take_turns((fails, _steps("b", trace)), [1], _never)
    assert trace == ["a", "b0", "b1", "b2"]
