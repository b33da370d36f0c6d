"""Threads that start together, for tests of concurrent requests."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

ResultT = TypeVar("ResultT")


def concurrently(calls: Sequence[Callable[[], ResultT]]) -> list[ResultT | Exception]:
    """What each call returned or raised; all began at the same time."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], ResultT]) -> ResultT | Exception:
        barrier.wait(timeout=30)
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
