"""Sessions in Postgres. A transaction that begins, renews or ends a session locks the user's row first.

Locks on the tokens would not be enough: a transaction that ends a session does not see the successor that another one
is adding, and that successor would outlive the session.
"""

from collections.abc import Sequence
from datetime import datetime

from common.domain.ids import SessionId, UserId
from common.stores.postgres import Connection, Database
from functions.auth.adapters.dormant_data_repository import wake
from functions.auth.domain.account import Role
from functions.auth.domain.session import (
    MAX_SIBLINGS,
    AccessToken,
    IssuedPair,
    RefreshFailure,
    RefreshingDevice,
    ReusedToken,
    TokenHolder,
    refresh_failure,
)


class SessionRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self, session_id: SessionId, user_id: UserId, first: IssuedPair, now: datetime, password_hash: str | None
    ) -> bool:
        """Store the first pair of a session. False if the account is WITHDRAWN or has another password hash.

        The same transaction makes a dormant account ACTIVE.
        """
        with self._database.transaction() as connection:
            logged_in = connection.execute(
                """
                UPDATE user_service.users SET last_login_at = %(now)s
                 WHERE id = %(user_id)s AND status <> 'WITHDRAWN'
                   AND (%(password_hash)s::text IS NULL OR password_hash = %(password_hash)s)
                RETURNING status
                """,
                {"user_id": user_id, "password_hash": password_hash, "now": now},
            ).fetchone()
            if logged_in is None:
                return False
            if logged_in["status"] == "DORMANT":
                wake(connection, user_id)
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

    def exchange(
        self, token_hash: bytes, successor: IssuedPair, device: RefreshingDevice, now: datetime
    ) -> TokenHolder | ReusedToken | RefreshFailure:
        """Spend a token with the others of its generation, and store its successor. A spent token gets a sibling of its
        successor within the device's grace; otherwise it ends its session.

        If the process crashes before the commit, the token is unspent; after it, the grace is the time to try again.
        """
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
                return RefreshFailure.UNKNOWN
            exchanged = connection.execute(
                """
                WITH offered AS (
                  SELECT family_id, user_id, generation FROM user_service.auth_tokens token
                   WHERE token_hash = %(offered_hash)s AND revoked_at IS NULL AND expires_at > %(now)s
                     AND (spent_at IS NULL OR (
                           -- A sibling of its successors: they are the session's newest tokens, and not too many.
                           spent_by = %(device)s AND spent_at > %(spent_after)s
                           AND (SELECT max(generation) = token.generation + 1
                                       AND count(*) FILTER (WHERE generation > token.generation) < %(siblings)s
                                  FROM user_service.auth_tokens WHERE family_id = token.family_id)))
                ), spent AS (
                  UPDATE user_service.auth_tokens token SET spent_at = %(now)s, spent_by = %(device)s
                    FROM offered WHERE token.family_id = offered.family_id
                     AND token.generation = offered.generation AND token.spent_at IS NULL
                )
                INSERT INTO user_service.auth_tokens
                       (token_hash, family_id, user_id, created_at, expires_at, access_token_id, access_expires_at,
                        generation)
                SELECT %(token_hash)s, family_id, user_id, %(now)s, %(expires_at)s,
                       %(access_token_id)s, %(access_expires_at)s, generation + 1
                  FROM offered
                RETURNING family_id
                """,
                {
                    "offered_hash": token_hash,
                    "device": device.hash,
                    "spent_after": now - device.grace,
                    "siblings": MAX_SIBLINGS,
                    "now": now,
                    **vars(successor),
                },
            ).fetchone()
            if exchanged is None:
                return _failure(connection, UserId(user["id"]), token_hash, now)
        return TokenHolder(UserId(user["id"]), Role(user["role"]), SessionId(exchanged["family_id"]))

    def end(self, user_id: UserId, session_id: SessionId, token_hash: bytes | None, now: datetime) -> list[AccessToken]:
        """End a session, and that of a refresh token if it is this user's. Returns their access tokens that have not
        expired, to be revoked; the same when called again."""
        with self._database.transaction() as connection:
            lock_user(connection, user_id)
            another = connection.execute(
                "SELECT family_id FROM user_service.auth_tokens WHERE token_hash = %s", (token_hash,)
            ).fetchone()
            sessions = [session_id, SessionId(another["family_id"])] if another else [session_id]
            return end_sessions(connection, user_id, now, only=sessions)

    def end_all(
        self, connection: Connection, user_id: UserId, now: datetime, *, but: SessionId | None = None
    ) -> list[AccessToken]:
        """End all sessions of the user, `but` one, in the transaction of a caller that has locked the user's row.

        Returns their access tokens that have not expired, to be revoked.
        """
        return end_sessions(connection, user_id, now, but=but)


def _failure(connection: Connection, user_id: UserId, token_hash: bytes, now: datetime) -> ReusedToken | RefreshFailure:
    token = connection.execute(
        "SELECT family_id, spent_at, revoked_at FROM user_service.auth_tokens WHERE token_hash = %s", (token_hash,)
    ).fetchone()
    if token is None:  # deleted a moment ago
        return RefreshFailure.UNKNOWN
    failure = refresh_failure(token["spent_at"], token["revoked_at"])
    if failure is RefreshFailure.REUSED:
        return ReusedToken(end_sessions(connection, user_id, now, only=[SessionId(token["family_id"])]))
    return failure


def lock_user(connection: Connection, user_id: UserId) -> None:
    connection.execute("SELECT FROM user_service.users WHERE id = %s FOR NO KEY UPDATE", (user_id,))


def end_sessions(
    connection: Connection,
    user_id: UserId,
    now: datetime,
    *,
    only: Sequence[SessionId] | None = None,
    but: SessionId | None = None,
) -> list[AccessToken]:
    """End these sessions of the user's, or all, `but` one. Returns their access tokens that have not expired, for the
    blacklist; also those of sessions that ended before, in case they were missed. The caller has locked the user's row.
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
