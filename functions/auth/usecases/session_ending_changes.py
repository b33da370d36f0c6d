"""Changes of an account that end sessions, each in one transaction with them (AUTH-015, AUTH-016, AUTH-018).

The access tokens that end with a session are blacklisted last before the commit. Die there, or find Redis away, and the
change did not happen: those tokens are dead, their sessions get new ones, and the change can be asked for again.
"""

from datetime import datetime
from functools import cache
from uuid import UUID

from common.stores import redis
from common.stores.postgres import Database, database
from functions.auth.adapters.session_repository import end_sessions
from functions.auth.adapters.spent_verification_repository import spend
from functions.auth.adapters.token_blacklist_redis import Blacklist
from functions.auth.usecases.password_reset import Proof


class AccountChanges:
    def __init__(self, database: Database, blacklist: Blacklist) -> None:
        self._database = database
        self._blacklist = blacklist

    def password_hash(self, user_id: UUID) -> str | None:
        """None unless the account is ACTIVE."""
        found = self._database.row(
            "SELECT password_hash FROM user_service.users WHERE id = %s AND status = 'ACTIVE'", (user_id,)
        )
        return found["password_hash"] if found else None

    def change_password(self, user_id: UUID, old_hash: str, new_hash: str, session_id: UUID, now: datetime) -> bool:
        """End every session but `session_id`. False, and nothing done, if `old_hash` is not the account's by now."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                """
                UPDATE user_service.users SET password_hash = %s
                 WHERE id = %s AND status = 'ACTIVE' AND password_hash = %s
                """,
                (new_hash, user_id, old_hash),
            )
            if changed.rowcount == 0:
                return False
            self._blacklist.add(end_sessions(connection, user_id, now, but=session_id), now)
        return True

    def withdraw(self, user_id: UUID, password_hash: str, now: datetime) -> bool:
        """End the account and every session. False, and nothing done, if the password is another by now."""
        with self._database.transaction() as connection:
            withdrawn = connection.execute(
                """
                UPDATE user_service.users SET status = 'WITHDRAWN', withdrawn_at = %s
                 WHERE id = %s AND status = 'ACTIVE' AND password_hash = %s
                """,
                (now, user_id, password_hash),
            )
            if withdrawn.rowcount == 0:
                return False
            self._blacklist.add(end_sessions(connection, user_id, now), now)
        return True

    def owner(self, proof: Proof) -> UUID | None:
        """Whose account it is, all told alike and in one query: no such account, somebody else's, a verification that
        served before, for this or for registering."""
        found = self._database.row(
            """
            SELECT id FROM user_service.users
             WHERE email_hash = %(email)s AND ci_hash = %(ci)s AND status <> 'WITHDRAWN'
               AND NOT EXISTS (SELECT FROM user_service.spent_identity_verifications
                                WHERE verification_hash = %(identity_verification)s)
            """,
            vars(proof),
        )
        return found["id"] if found else None

    def reset_password(self, user_id: UUID, new_hash: str, proof: Proof, now: datetime) -> bool:
        """Spend the verification and end every session. Refuses IDENTITY_NOT_VERIFIED if it was spent meanwhile;
        False, and nothing done, if the account was withdrawn meanwhile."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE user_service.users SET password_hash = %s WHERE id = %s AND status <> 'WITHDRAWN'",
                (new_hash, user_id),
            )
            if changed.rowcount == 0:
                return False
            spend(connection, proof.identity_verification, "reset", now)
            self._blacklist.add(end_sessions(connection, user_id, now), now)
        return True


@cache
def account_changes() -> AccountChanges:
    return AccountChanges(database(), Blacklist(redis.client()))
