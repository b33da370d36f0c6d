"""What retirement reads and deletes in Postgres (AUTH-018, AUTH-019).

Every method runs in the caller's transaction and skips rows that another transaction has locked.
"""

from datetime import datetime

from common.domain.ids import UserId
from common.stores.postgres import Connection
from functions.auth.adapters import dormant_data_repository

# What else is stored of an account. Its agreements stay: without the account they identify no person.
BELONGINGS = ("dormant_personal_data", "login_history", "social_identities", "auth_tokens")


class RetirementRepository:
    def lock_withdrawn(self, connection: Connection, withdrawn_until: datetime, limit: int) -> list[UserId]:
        """Accounts withdrawn at that time or before, whose personal data still exist."""
        due = connection.execute(
            """
            SELECT id FROM user_service.users
             WHERE status = 'WITHDRAWN' AND ci_hash IS NOT NULL AND withdrawn_at <= %s
             ORDER BY withdrawn_at LIMIT %s FOR UPDATE SKIP LOCKED
            """,
            (withdrawn_until, limit),
        ).fetchall()
        return [UserId(row["id"]) for row in due]

    def destroy(self, connection: Connection, user_ids: list[UserId]) -> None:
        """The row of the account stays, with its id and role, since other services' purchases refer to it. Its address
        and its person can register again."""
        for table in BELONGINGS:
            connection.execute(f"DELETE FROM user_service.{table} WHERE user_id = ANY(%s)", (user_ids,))
        connection.execute(
            """
            UPDATE user_service.users
               SET email_sealed = NULL, name_sealed = NULL, phone_sealed = NULL, ci_sealed = NULL,
                   email_hash = NULL, ci_hash = NULL, password_hash = NULL,
                   email_verified_at = NULL, last_login_at = NULL
             WHERE id = ANY(%s)
            """,
            (user_ids,),
        )

    def lock_idle(self, connection: Connection, idle_since: datetime, limit: int) -> list[UserId]:
        """ACTIVE accounts without a login or a renewed session since then."""
        # A session that is renewed while this runs had a token before, so it already counts as in use. After any other
        # change of an account that commits meanwhile, Postgres checks the newest version of the row.
        idle = connection.execute(
            """
            SELECT id FROM user_service.users
             WHERE status = 'ACTIVE' AND coalesce(last_login_at, created_at) <= %(before)s
               AND NOT EXISTS (SELECT FROM user_service.auth_tokens
                                WHERE user_id = users.id AND auth_tokens.expires_at > %(before)s)
             ORDER BY coalesce(last_login_at, created_at) LIMIT %(limit)s
               FOR NO KEY UPDATE SKIP LOCKED
            """,
            {"before": idle_since, "limit": limit},
        ).fetchall()
        return [UserId(row["id"]) for row in idle]

    def separate(self, connection: Connection, user_ids: list[UserId], now: datetime) -> None:
        """Make ACTIVE accounts DORMANT."""
        dormant_data_repository.separate(connection, user_ids, now)

    def delete_logins(self, connection: Connection, until: datetime, limit: int) -> int:
        return _delete(connection, "login_history", "id", "at <= %(until)s", until, limit)

    def delete_tokens(self, connection: Connection, ended_until: datetime, limit: int) -> int:
        ended = "expires_at <= %(until)s AND access_expires_at <= %(until)s"
        return _delete(connection, "auth_tokens", "token_hash", ended, ended_until, limit)


def _delete(connection: Connection, table: str, key: str, condition: str, until: datetime, limit: int) -> int:
    return connection.execute(
        f"""
        DELETE FROM user_service.{table} WHERE {key} IN
               (SELECT {key} FROM user_service.{table} WHERE {condition}
                 LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
        """,
        {"until": until, "limit": limit},
    ).rowcount
