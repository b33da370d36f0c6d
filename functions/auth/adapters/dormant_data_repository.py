"""The personal data of a dormant account are in a table of their own until its owner logs in again (AUTH-019).

The functions run in the transaction of a caller that has locked the accounts' rows.
"""

from datetime import datetime

from common.domain.ids import UserId
from common.stores.postgres import Connection

# Sealed for the user and the field, so they open in either table.
_COLUMNS = "email_sealed, name_sealed, phone_sealed, ci_sealed"


def separate(connection: Connection, user_ids: list[UserId], now: datetime) -> None:
    """Make ACTIVE accounts DORMANT."""
    connection.execute(
        f"""
        WITH apart AS (
          INSERT INTO user_service.dormant_personal_data (user_id, {_COLUMNS}, separated_at)
          SELECT id, {_COLUMNS}, %(now)s FROM user_service.users WHERE id = ANY(%(ids)s)
        )
        UPDATE user_service.users
           SET status = 'DORMANT', ({_COLUMNS}) = ROW (NULL, NULL, NULL, NULL)
         WHERE id = ANY(%(ids)s)
        """,
        {"ids": user_ids, "now": now},
    )


def wake(connection: Connection, user_id: UserId) -> None:
    """Make a DORMANT account ACTIVE; any other stays as it is."""
    connection.execute(
        f"""
        WITH back AS (
          DELETE FROM user_service.dormant_personal_data WHERE user_id = %(id)s RETURNING {_COLUMNS}
        )
        UPDATE user_service.users
           SET status = 'ACTIVE', ({_COLUMNS}) = (SELECT {_COLUMNS} FROM back)
         WHERE id = %(id)s AND EXISTS (SELECT FROM back)
        """,
        {"id": user_id},
    )
