"""The state of accounts that no personal data are needed for: password hash, status, proof of the address.

The changes that end sessions run in the caller's transaction.
"""

from datetime import datetime

from psycopg.errors import UniqueViolation

from common.domain.ids import UserId
from common.stores.postgres import Connection, Database
from functions.auth.adapters.spent_verification_repository import Purpose, spend
from functions.auth.domain.account import OwnershipProof
from functions.auth.domain.errors import EmailTaken


class AccountStateRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    def password_hash(self, user_id: UserId) -> str | None:
        """None unless the account is ACTIVE."""
        found = self._database.row(
            "SELECT password_hash FROM user_service.users WHERE id = %s AND status = 'ACTIVE'", (user_id,)
        )
        return found["password_hash"] if found else None

    def change_password(self, connection: Connection, user_id: UserId, old_hash: str, new_hash: str) -> bool:
        """False if the account is not ACTIVE or `old_hash` is no longer its hash."""
        changed = connection.execute(
            """
            UPDATE user_service.users SET password_hash = %s
             WHERE id = %s AND status = 'ACTIVE' AND password_hash = %s
            """,
            (new_hash, user_id, old_hash),
        )
        return changed.rowcount > 0

    def withdraw(self, connection: Connection, user_id: UserId, password_hash: str, now: datetime) -> bool:
        """False if the account is not ACTIVE or `password_hash` is no longer its hash."""
        withdrawn = connection.execute(
            """
            UPDATE user_service.users SET status = 'WITHDRAWN', withdrawn_at = %s
             WHERE id = %s AND status = 'ACTIVE' AND password_hash = %s
            """,
            (now, user_id, password_hash),
        )
        return withdrawn.rowcount > 0

    def owner(self, proof: OwnershipProof) -> UserId | None:
        """The account that the proof is for. One query for all cases, which look alike to the caller: no such account,
        another person's account, a verification that was spent, for this or for a registration."""
        found = self._database.row(
            """
            SELECT id FROM user_service.users
             WHERE email_hash = %(email)s AND ci_hash = %(ci)s AND status <> 'WITHDRAWN'
               AND NOT EXISTS (SELECT FROM user_service.spent_identity_verifications
                                WHERE verification_hash = %(identity_verification)s)
            """,
            vars(proof),
        )
        return UserId(found["id"]) if found else None

    def reset_password(self, connection: Connection, user_id: UserId, new_hash: str) -> bool:
        """False if the account is WITHDRAWN."""
        changed = connection.execute(
            "UPDATE user_service.users SET password_hash = %s WHERE id = %s AND status <> 'WITHDRAWN'",
            (new_hash, user_id),
        )
        return changed.rowcount > 0

    def owner_of_unverified(self, ci_hash: bytes) -> UserId | None:
        """The person's account, if its address was never verified."""
        found = self._database.row(
            """
            SELECT id FROM user_service.users
             WHERE ci_hash = %s AND status <> 'WITHDRAWN' AND email_verified_at IS NULL
            """,
            (ci_hash,),
        )
        return UserId(found["id"]) if found else None

    def correct_email(
        self, connection: Connection, user_id: UserId, email_sealed: bytes, proof: OwnershipProof
    ) -> bool:
        """False if the account is WITHDRAWN or its address verified. Raises EmailTaken."""
        try:
            changed = connection.execute(
                """
                UPDATE user_service.users
                   SET email_hash = %(hash)s, email_sealed = CASE WHEN status = 'ACTIVE' THEN %(sealed)s::bytea END
                 WHERE id = %(id)s AND status <> 'WITHDRAWN' AND email_verified_at IS NULL
                """,
                {"id": user_id, "hash": proof.email, "sealed": email_sealed},
            )
        except UniqueViolation:
            raise EmailTaken() from None
        connection.execute(  # of a dormant account, which is locked as the row above
            "UPDATE user_service.dormant_personal_data SET email_sealed = %s WHERE user_id = %s",
            (email_sealed, user_id),
        )
        return changed.rowcount > 0

    def spend_verification(
        self, connection: Connection, verification_hash: bytes, purpose: Purpose, now: datetime
    ) -> None:
        """Raises IdentityNotVerified if it is spent."""
        spend(connection, verification_hash, purpose, now)

    def email_hash(self, user_id: UserId) -> bytes | None:
        found = self._database.row("SELECT email_hash FROM user_service.users WHERE id = %s", (user_id,))
        return found["email_hash"] if found else None

    def confirm_email(self, user_id: UserId, email_hash: bytes, now: datetime) -> None:
        """The account's address, if it is still this one, is verified (AUTH-022); the first proof's time is kept."""
        with self._database.transaction() as connection:
            connection.execute(
                """
                UPDATE user_service.users SET email_verified_at = coalesce(email_verified_at, %s)
                 WHERE id = %s AND status = 'ACTIVE' AND email_hash = %s
                """,
                (now, user_id, email_hash),
            )
