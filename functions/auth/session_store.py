"""Refresh tokens in Postgres, one transaction a step and one family at a time."""

from datetime import datetime
from uuid import UUID

from common.postgres import Connection, Database
from functions.auth.account import Role
from functions.auth.sessions import Holder, Unfit


class SessionStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, family_id: UUID, user_id: UUID, token_hash: bytes, now: datetime, expires_at: datetime) -> None:
        with self._database.transaction() as connection:
            _add(connection, token_hash, family_id, user_id, now, expires_at)

    def exchange(self, token_hash: bytes, successor_hash: bytes, now: datetime, expires_at: datetime) -> Holder | Unfit:
        """Die before the commit and the token is unspent; die after it and its holder must sign in again."""
        with self._database.transaction() as connection:
            _lock_family(connection, token_hash)
            held = connection.execute(
                """
                SELECT family_id, user_id, users.role, expires_at,
                       spent_at IS NOT NULL AS spent, revoked_at IS NOT NULL AS revoked
                  FROM user_service.auth_tokens JOIN user_service.users ON users.id = user_id
                 WHERE token_hash = %s
                """,
                (token_hash,),
            ).fetchone()
            if held is None:
                return Unfit.UNKNOWN
            if held["spent"]:
                _revoke(connection, held["family_id"], now)
                return Unfit.SPENT
            if held["revoked"]:
                return Unfit.REVOKED
            if held["expires_at"] <= now:
                return Unfit.EXPIRED
            connection.execute(
                "UPDATE user_service.auth_tokens SET spent_at = %s WHERE token_hash = %s", (now, token_hash)
            )
            _add(connection, successor_hash, held["family_id"], held["user_id"], now, expires_at)
        return Holder(held["user_id"], Role(held["role"]))

    def revoke(self, token_hash: bytes, user_id: UUID, now: datetime) -> None:
        """End the family of this token, if it is this user's."""
        with self._database.transaction() as connection:
            _lock_family(connection, token_hash)
            held = connection.execute(
                "SELECT family_id FROM user_service.auth_tokens WHERE token_hash = %s AND user_id = %s",
                (token_hash, user_id),
            ).fetchone()
            if held is not None:
                _revoke(connection, held["family_id"], now)


def _lock_family(connection: Connection, token_hash: bytes) -> None:
    """Until the transaction's end. Row locks would not do: a revocation does not see the row of a successor that is
    being added meanwhile, which would outlive its family."""
    connection.execute(
        """
        SELECT pg_advisory_xact_lock(hashtextextended(family_id::text, 0))
          FROM user_service.auth_tokens WHERE token_hash = %s
        """,
        (token_hash,),
    )


def _add(
    connection: Connection, token_hash: bytes, family_id: UUID, user_id: UUID, now: datetime, expires_at: datetime
) -> None:
    connection.execute(
        """
        INSERT INTO user_service.auth_tokens (token_hash, family_id, user_id, created_at, expires_at)
        VALUES (%s, %s, %s, %s, %s)
        """,
        (token_hash, family_id, user_id, now, expires_at),
    )


def _revoke(connection: Connection, family_id: UUID, now: datetime) -> None:
    connection.execute(
        "UPDATE user_service.auth_tokens SET revoked_at = %s WHERE family_id = %s AND revoked_at IS NULL",
        (now, family_id),
    )
