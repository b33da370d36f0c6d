"""Sessions in Postgres, one user at a time: whoever begins, renews or ends one holds the user's row until the end of
the transaction. Locks on the tokens would not do: who ends a session does not see the row of a successor that is being
added meanwhile, which would outlive it.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from common.stores.postgres import Connection, Database
from functions.auth.adapters.dormant_data_repository import awaken
from functions.auth.domain.account import Role
from functions.auth.usecases.sessions import AccessToken, Holder, IssuedPair, Reused, Unfit


class SessionStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self, session_id: UUID, user_id: UUID, first: IssuedPair, now: datetime, password_hash: str | None
    ) -> bool:
        """The first pair of a session, unless the account is withdrawn or its password another by now.

        A dormant account wakes, in the same transaction: die before the commit and nothing happened.
        """
        with self._database.transaction() as connection:
            signed_in = connection.execute(
                """
                UPDATE user_service.users SET last_login_at = %(now)s
                 WHERE id = %(user_id)s AND status <> 'WITHDRAWN'
                   AND (%(password_hash)s::text IS NULL OR password_hash = %(password_hash)s)
                RETURNING status
                """,
                {"user_id": user_id, "password_hash": password_hash, "now": now},
            ).fetchone()
            if signed_in is None:
                return False
            if signed_in["status"] == "DORMANT":
                awaken(connection, user_id)
            connection.execute(
                """
                INSERT INTO user_service.auth_tokens
                       (token_hash, family_id, user_id, created_at, expires_at, access_token_id, access_expires_at)
                VALUES (%(token_hash)s, %(session_id)s, %(user_id)s, %(now)s, %(expires_at)s,
                        %(access_token_id)s, %(access_expires_at)s)
                """,
                {"session_id": session_id, "user_id": user_id, "now": now, **vars(first)},
            )
        return True

    def exchange(self, token_hash: bytes, successor: IssuedPair, now: datetime) -> Holder | Reused | Unfit:
        """Die before the commit and the token is unspent; die after it and its holder must sign in again."""
        with self._database.transaction() as connection:
            user = connection.execute(
                """
                SELECT id, role FROM user_service.users
                 WHERE id = (SELECT user_id FROM user_service.auth_tokens WHERE token_hash = %s)
                   FOR NO KEY UPDATE
                """,
                (token_hash,),
            ).fetchone()
            if user is None:
                return Unfit.UNKNOWN
            exchanged = connection.execute(
                """
                WITH spent AS (
                  UPDATE user_service.auth_tokens SET spent_at = %(now)s
                   WHERE token_hash = %(spent_hash)s
                     AND spent_at IS NULL AND revoked_at IS NULL AND expires_at > %(now)s
                  RETURNING family_id, user_id
                )
                INSERT INTO user_service.auth_tokens
                       (token_hash, family_id, user_id, created_at, expires_at, access_token_id, access_expires_at)
                SELECT %(token_hash)s, family_id, user_id, %(now)s, %(expires_at)s,
                       %(access_token_id)s, %(access_expires_at)s
                  FROM spent
                RETURNING family_id
                """,
                {"spent_hash": token_hash, "now": now, **vars(successor)},
            ).fetchone()
            if exchanged is None:
                return _unfit(connection, user["id"], token_hash, now)
        return Holder(user["id"], Role(user["role"]), exchanged["family_id"])

    def end(self, user_id: UUID, session_id: UUID, token_hash: bytes | None, now: datetime) -> list[AccessToken]:
        """End a session, and that of a refresh token if it is this user's: their access tokens still alive, to be
        ended too. Again on ended ones: the same."""
        with self._database.transaction() as connection:
            lock_user(connection, user_id)
            another = connection.execute(
                "SELECT family_id FROM user_service.auth_tokens WHERE token_hash = %s", (token_hash,)
            ).fetchone()
            sessions = [session_id, another["family_id"]] if another else [session_id]
            return end_sessions(connection, user_id, now, only=sessions)


def _unfit(connection: Connection, user_id: UUID, token_hash: bytes, now: datetime) -> Reused | Unfit:
    held = connection.execute(
        "SELECT family_id, spent_at, revoked_at FROM user_service.auth_tokens WHERE token_hash = %s", (token_hash,)
    ).fetchone()
    if held is None:  # pruned a moment ago
        return Unfit.UNKNOWN
    if held["spent_at"] is not None:
        return Reused(end_sessions(connection, user_id, now, only=[held["family_id"]]))
    return Unfit.EXPIRED if held["revoked_at"] is None else Unfit.REVOKED


def lock_user(connection: Connection, user_id: UUID) -> None:
    connection.execute("SELECT FROM user_service.users WHERE id = %s FOR NO KEY UPDATE", (user_id,))


def end_sessions(
    connection: Connection,
    user_id: UUID,
    now: datetime,
    *,
    only: Sequence[UUID] | None = None,
    but: UUID | None = None,
) -> list[AccessToken]:
    """End these sessions of the user's, or all, `but` one: their access tokens still alive, for the blacklist.

    Of sessions ended before too: their access tokens may have been missed. The caller holds the user's row.
    """
    sessions = """
        user_id = %(user_id)s AND family_id IS DISTINCT FROM %(but)s
        AND (%(only)s::uuid[] IS NULL OR family_id = ANY(%(only)s))
    """
    alive = connection.execute(
        f"""
        WITH ended AS (
          UPDATE user_service.auth_tokens SET revoked_at = %(now)s WHERE {sessions} AND revoked_at IS NULL
        )
        SELECT access_token_id, access_expires_at FROM user_service.auth_tokens
         WHERE {sessions} AND access_expires_at > %(now)s
        """,
        {"user_id": user_id, "now": now, "only": None if only is None else list(only), "but": but},
    )
    return [AccessToken(str(row["access_token_id"]), row["access_expires_at"]) for row in alive]
