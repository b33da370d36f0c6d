"""Two operations take turns at their exchanges, so that an interleaving can be chosen, repeated and shrunk.

Each runs in a thread of its own, but only the one whose turn it is. An operation that waits for the other's lock in
Postgres gives its turn up, and goes on when it has the lock and its turn comes.
"""

import threading
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")
POLL_SECONDS = 0.004  # how soon an operation is suspected to wait for a lock


class _State(Enum):
    PARKED = "before an exchange, until its turn"
    RUNNING = "its turn"
    WAITING = "for a lock of the other"
    ENDED = "ended"


class Turn:
    """One of the two operations."""

    def __init__(self, changed: threading.Condition, operation: Callable[["Turn"], object]) -> None:
        self._changed = changed
        self.state = _State.RUNNING
        self.result: Any = None
        self.error: BaseException | None = None
        self.exchanges = 0
        self._thread = threading.Thread(target=self._run, args=(operation,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def resume(self) -> None:
        with self._changed:
            self.state = _State.RUNNING
            self._changed.notify_all()

    def exchange(self, call: Callable[[], ResultT]) -> ResultT:
        """What `call` returns, when it is this operation's turn."""
        self._park()
        self.exchanges += 1
        try:
            return call()
        finally:
            with self._changed:
                waited = self.state is _State.WAITING
            if waited:
                self._park()

    def _park(self) -> None:
        with self._changed:
            self.state = _State.PARKED
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.state is _State.RUNNING)

    def _run(self, operation: Callable[["Turn"], object]) -> None:
        try:
            self.result = operation(self)
        except BaseException as error:
            self.error = error
        with self._changed:
            self.state = _State.ENDED
            self._changed.notify_all()


def take_turns(
    operations: tuple[Callable[[Turn], object], Callable[[Turn], object]],
    lengths: Sequence[int],
    lock_waits: Callable[[], int],
) -> tuple[Turn, Turn]:
    """Run both operations to their end. `lengths` says after how many exchanges the turn passes to the other; after the
    last, each runs to its end. `lock_waits` counts the sessions in Postgres that wait for a lock now.

    Raises the first error of an operation.
    """
    changed = threading.Condition()
    turns = Turn(changed, operations[0]), Turn(changed, operations[1])
    for turn in turns:
        turn.start()
        _until_stopped(turn, turns, changed, lock_waits)
    mine, left = 0, list(lengths)
    while any(turn.state is not _State.ENDED for turn in turns):
        while left and left[0] <= 0:
            mine, left = 1 - mine, left[1:]
        _until_granted(turns, changed, lock_waits)
        able = [turn for turn in (turns[mine], turns[1 - mine]) if turn.state is _State.PARKED]
        if not able:  # both wait for each other: Postgres ends one of them
            with changed:
                changed.wait(POLL_SECONDS)
            continue
        if left and able[0] is turns[mine]:
            left[0] -= 1
        able[0].resume()
        _until_stopped(able[0], turns, changed, lock_waits)
    for turn in turns:
        if turn.error is not None:
            raise turn.error
    return turns


def _until_stopped(
    turn: Turn, turns: tuple[Turn, Turn], changed: threading.Condition, lock_waits: Callable[[], int]
) -> None:
    """Return when the running operation is parked or has ended, or waits for a lock."""
    while True:
        with changed:
            if changed.wait_for(lambda: turn.state is not _State.RUNNING, POLL_SECONDS):
                return
        known = sum(each.state is _State.WAITING for each in turns)
        if lock_waits() > known:
            with changed:
                if turn.state is _State.RUNNING:  # the other does not run, so it still waits
                    turn.state = _State.WAITING
                    return


def _until_granted(turns: tuple[Turn, Turn], changed: threading.Condition, lock_waits: Callable[[], int]) -> None:
    """Return when each operation that got its lock is parked."""
    while waiting := [turn for turn in turns if turn.state is _State.WAITING]:
        if lock_waits() >= len(waiting):
            return
        with changed:
            changed.wait_for(lambda: any(turn.state is not _State.WAITING for turn in waiting), POLL_SECONDS)
