"""Spent identity verifications in Postgres: each can be used once, in the transaction of what it is used for."""

from datetime import datetime
from typing import Literal

from common.stores.postgres import Connection
from functions.auth.domain.errors import IdentityNotVerified

Purpose = Literal["register", "reset", "email"]


def spend(connection: Connection, verification_hash: bytes, purpose: Purpose, at: datetime) -> None:
    """Raises IdentityNotVerified for a spent one. Of two at once, the second waits for the first to end.

    `verification_hash` is `lookup("identity-verification", its id)`.
    """
    spent = connection.execute(
        """
        INSERT INTO user_service.spent_identity_verifications (verification_hash, purpose, spent_at)
        VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (verification_hash, purpose, at),
    )
    if spent.rowcount == 0:
        raise IdentityNotVerified()
