"""Personal data that must not be kept as it is any longer: destroyed, set apart, or forgotten (AUTH-018, AUTH-019).

Everything goes in small batches, each a transaction: die anywhere, or run twice at once, and nothing is done by half or
done again. Rows that somebody holds are left for the next run, so that nobody waits for more than one batch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.domain.clock import Clock
from common.stores.postgres import Database
from functions.auth.adapters import dormant_data_repository as dormancy

ACCOUNTS_A_BATCH, ROWS_A_BATCH = 100, 1000
# What else is kept of an account. Its agreements stay: without the account they name nobody.
BELONGINGS = ("dormant_personal_data", "login_history", "social_identities", "auth_tokens")


@dataclass(frozen=True)
class RetirementTerms:
    withdrawn_kept: timedelta = timedelta(days=30)
    dormant_after: timedelta = timedelta(days=365)
    logins_kept: timedelta = timedelta(days=90)  # AUTH-021
    tokens_kept: timedelta = timedelta(days=30)  # past their end, in case a spent one comes back


class Retirement:
    def __init__(self, database: Database, clock: Clock, terms: RetirementTerms) -> None:
        self._database = database
        self._clock = clock
        self._terms = terms

    def run(self, time_left: Callable[[], bool]) -> Iterator[tuple[str, int]]:
        """How much of each was done, until nothing or no time is left."""
        for name, batch in {
            "AccountsDestroyed": self._destroy_withdrawn,
            "AccountsMadeDormant": self._separate_dormant,
            "LoginsPruned": self._prune_logins,
            "RefreshTokensPruned": self._prune_tokens,
        }.items():
            done = 0
            while time_left() and (rows := batch(self._clock())):
                done += rows
            yield name, done

    def _destroy_withdrawn(self, now: datetime) -> int:
        """The row itself stays, an id and a role: what other services keep of purchases refers to it. Its address and
        its person are free again."""
        with self._database.transaction() as connection:
            due = connection.execute(
                f"""
                SELECT id FROM user_service.users
                 WHERE status = 'WITHDRAWN' AND ci_hash IS NOT NULL AND withdrawn_at <= %s
                 ORDER BY withdrawn_at LIMIT {ACCOUNTS_A_BATCH} FOR UPDATE SKIP LOCKED
                """,
                (now - self._terms.withdrawn_kept,),
            ).fetchall()
            ids = [row["id"] for row in due]
            for table in BELONGINGS:
                connection.execute(f"DELETE FROM user_service.{table} WHERE user_id = ANY(%s)", (ids,))
            connection.execute(
                """
                UPDATE user_service.users
                   SET email_sealed = NULL, name_sealed = NULL, phone_sealed = NULL, ci_sealed = NULL,
                       email_hash = NULL, ci_hash = NULL, password_hash = NULL,
                       email_verified_at = NULL, last_login_at = NULL
                 WHERE id = ANY(%s)
                """,
                (ids,),
            )
        return len(ids)

    def _separate_dormant(self, now: datetime) -> int:
        """Accounts without a sign-in for so long, nor a session that was renewed."""
        before = now - self._terms.dormant_after
        with self._database.transaction() as connection:
            # A session renewed while this is read had a token before that, and is in use already. Any other change of
            # an account that is committed meanwhile makes Postgres judge its newest version.
            idle = connection.execute(
                f"""
                SELECT id FROM user_service.users
                 WHERE status = 'ACTIVE' AND coalesce(last_login_at, created_at) <= %(before)s
                   AND NOT EXISTS (SELECT FROM user_service.auth_tokens
                                    WHERE user_id = users.id AND auth_tokens.expires_at > %(before)s)
                 ORDER BY coalesce(last_login_at, created_at) LIMIT {ACCOUNTS_A_BATCH}
                   FOR NO KEY UPDATE SKIP LOCKED
                """,
                {"before": before},
            ).fetchall()
            dormancy.separate(connection, [row["id"] for row in idle], now)
        return len(idle)

    def _prune_logins(self, now: datetime) -> int:
        return self._delete("login_history", "id", "at <= %(before)s", now - self._terms.logins_kept)

    def _prune_tokens(self, now: datetime) -> int:
        ended = "expires_at <= %(before)s AND access_expires_at <= %(before)s"
        return self._delete("auth_tokens", "token_hash", ended, now - self._terms.tokens_kept)

    def _delete(self, table: str, key: str, condition: str, before: datetime) -> int:
        with self._database.transaction() as connection:
            return connection.execute(
                f"""
                DELETE FROM user_service.{table} WHERE {key} IN
                       (SELECT {key} FROM user_service.{table} WHERE {condition}
                         LIMIT {ROWS_A_BATCH} FOR UPDATE SKIP LOCKED)
                """,
                {"before": before},
            ).rowcount
