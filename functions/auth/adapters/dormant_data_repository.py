"""An account nobody uses for long is dormant: its personal data lie apart until its owner signs in again (AUTH-019)."""

from datetime import datetime
from uuid import UUID

from common.stores.postgres import Connection

# Sealed for their user and their column's name, so that they open in either table.
DATA = "email_sealed, name_sealed, phone_sealed, ci_sealed"


def separate(connection: Connection, user_ids: list[UUID], now: datetime) -> None:
    """Of accounts that are ACTIVE, whose rows the caller holds."""
    connection.execute(
        f"""
        WITH apart AS (
          INSERT INTO user_service.dormant_personal_data (user_id, {DATA}, separated_at)
          SELECT id, {DATA}, %(now)s FROM user_service.users WHERE id = ANY(%(ids)s)
        )
        UPDATE user_service.users
           SET status = 'DORMANT', ({DATA}) = ROW (NULL, NULL, NULL, NULL)
         WHERE id = ANY(%(ids)s)
        """,
        {"ids": user_ids, "now": now},
    )


def awaken(connection: Connection, user_id: UUID) -> None:
    """Nothing happens to an account that is awake. The caller holds its row."""
    connection.execute(
        f"""
        WITH back AS (
          DELETE FROM user_service.dormant_personal_data WHERE user_id = %(id)s RETURNING {DATA}
        )
        UPDATE user_service.users
           SET status = 'ACTIVE', ({DATA}) = (SELECT {DATA} FROM back)
         WHERE id = %(id)s AND EXISTS (SELECT FROM back)
        """,
        {"id": user_id},
    )
