"""Social identities in Postgres, whose constraints decide which account an identity belongs to."""

from datetime import datetime
from uuid import UUID

from psycopg.errors import UniqueViolation

from common.domain.shared_errors import TokenInvalid
from common.stores.postgres import Connection, Database
from functions.auth.domain.account import LinkedAccount, Role, Status
from functions.auth.domain.errors import AlreadyLinked
from functions.auth.domain.social_identity import SocialIdentity


class SocialIdentityStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def account(self, identity: SocialIdentity) -> LinkedAccount | None:
        found = self._database.row(
            """
            SELECT users.id, role, status
              FROM user_service.social_identities JOIN user_service.users ON users.id = user_id
             WHERE provider = %s AND subject_hash = %s
            """,
            (identity.provider, identity.subject_hash),
        )
        return LinkedAccount(found["id"], Role(found["role"]), Status(found["status"])) if found else None

    def link(self, user_id: UUID, identity: SocialIdentity, now: datetime) -> None:
        """Raises AlreadyLinked, and TokenInvalid for an account that is no longer in use."""
        with self._database.transaction() as connection:
            in_use = connection.execute(
                "SELECT FROM user_service.users WHERE id = %s AND status = 'ACTIVE' FOR SHARE", (user_id,)
            ).fetchone()
            if in_use is None:
                raise TokenInvalid()
            add_identity(connection, user_id, identity, now)


def add_identity(connection: Connection, user_id: UUID, identity: SocialIdentity, now: datetime) -> None:
    """Within the caller's transaction, which a refusal must end. Raises AlreadyLinked: of any number of accounts that
    claim an identity at once, one is let through."""
    try:
        connection.execute(
            """
            INSERT INTO user_service.social_identities (provider, subject_hash, user_id, linked_at)
            VALUES (%s, %s, %s, %s)
            """,
            (identity.provider, identity.subject_hash, user_id, now),
        )
    except UniqueViolation:
        raise AlreadyLinked() from None
