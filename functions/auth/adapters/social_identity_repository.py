"""Social identities in Postgres. Its constraints decide which account an identity belongs to."""

from datetime import datetime

from psycopg.errors import UniqueViolation

from common.domain.ids import UserId
from common.domain.shared_errors import TokenInvalid
from common.stores.postgres import Connection, Database
from functions.auth.domain.account import AccountStatus, LinkedAccount, Role
from functions.auth.domain.errors import AlreadyLinked
from functions.auth.domain.social_identity import SocialIdentity


class SocialIdentityRepository:
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
        if found is None:
            return None
        return LinkedAccount(UserId(found["id"]), Role(found["role"]), AccountStatus(found["status"]))

    def link(self, user_id: UserId, identity: SocialIdentity, now: datetime) -> None:
        """Raises AlreadyLinked, and TokenInvalid if the account is no longer ACTIVE."""
        with self._database.transaction() as connection:
            active = connection.execute(
                "SELECT FROM user_service.users WHERE id = %s AND status = 'ACTIVE' FOR SHARE", (user_id,)
            ).fetchone()
            if active is None:
                raise TokenInvalid()
            add_identity(connection, user_id, identity, now)


def add_identity(connection: Connection, user_id: UserId, identity: SocialIdentity, now: datetime) -> None:
    """In the caller's transaction, which an error must end. Raises AlreadyLinked: of any number of accounts that link
    one identity at once, one succeeds."""
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
