"""Personal data that must not be kept as they are: destroyed, set apart or deleted (AUTH-018, AUTH-019).

The work is done in small batches, each one transaction, so a crash or a second run at the same time leaves nothing half
done and does nothing twice. Locked rows are left for the next run, so other transactions wait for one batch at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from common.domain.clock import Clock
from common.stores.postgres import Database

if TYPE_CHECKING:
    from functions.auth.adapters.retirement_repository import RetirementRepository

ACCOUNTS_A_BATCH, ROWS_A_BATCH = 100, 1000


@dataclass(frozen=True)
class RetirementTerms:
    withdrawn_kept: timedelta = timedelta(days=30)
    dormant_after: timedelta = timedelta(days=365)
    logins_kept: timedelta = timedelta(days=90)  # AUTH-021
    tokens_kept: timedelta = timedelta(days=30)  # after they expire, to recognise one that is reused


class Retirement:
    def __init__(
        self, database: Database, repository: RetirementRepository, clock: Clock, terms: RetirementTerms
    ) -> None:
        self._database = database
        self._repository = repository
        self._clock = clock
        self._terms = terms

    def run(self, time_left: Callable[[], bool]) -> Iterator[tuple[str, int]]:
        """How much was done of each kind, until no work or no time is left."""
        for name, batch in {
            "AccountsDestroyed": self._destroy_withdrawn,
            "AccountsMadeDormant": self._separate_dormant,
            "LoginsPruned": self._delete_logins,
            "RefreshTokensPruned": self._delete_tokens,
        }.items():
            done = 0
            while time_left() and (rows := batch(self._clock())):
                done += rows
            yield name, done

    def _destroy_withdrawn(self, now: datetime) -> int:
        with self._database.transaction() as connection:
            due = self._repository.lock_withdrawn(connection, now - self._terms.withdrawn_kept, ACCOUNTS_A_BATCH)
            self._repository.destroy(connection, due)
        return len(due)

    def _separate_dormant(self, now: datetime) -> int:
        with self._database.transaction() as connection:
            idle = self._repository.lock_idle(connection, now - self._terms.dormant_after, ACCOUNTS_A_BATCH)
            self._repository.separate(connection, idle, now)
        return len(idle)

    def _delete_logins(self, now: datetime) -> int:
        with self._database.transaction() as connection:
            return self._repository.delete_logins(connection, now - self._terms.logins_kept, ROWS_A_BATCH)

    def _delete_tokens(self, now: datetime) -> int:
        with self._database.transaction() as connection:
            return self._repository.delete_tokens(connection, now - self._terms.tokens_kept, ROWS_A_BATCH)
