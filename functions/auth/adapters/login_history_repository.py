"""The login history in Postgres. The caller's address and browser are sealed, and found by keyed hashes (AUTH-020,
AUTH-021)."""

import json
from datetime import datetime
from uuid import UUID

from common.domain.ids import UserId
from common.stores.postgres import Database, Row
from functions.auth.adapters.vault import Vault
from functions.auth.domain.caller import Caller
from functions.auth.domain.login_record import NO_HISTORY, CallerHistory, LoginMethod, LoginRecord

NO_USER = UserId(UUID(int=0))  # looked up if there is no account, so that the query takes as long


class LoginHistoryRepository:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def caller_history(
        self,
        user_id: UserId | None,
        caller: Caller,
        *,
        logins_after: datetime,
        failures_after: datetime,
        failures_at_most: int,
    ) -> CallerHistory:
        """For None the same query runs, and finds nothing. Failures are counted up to `failures_at_most`."""
        found = self._database.row(
            """
            SELECT EXISTS (SELECT FROM user_service.users
                            WHERE id = %(user_id)s AND last_login_at IS NOT NULL) AS logged_in_before,
                   EXISTS (SELECT FROM user_service.login_history
                            WHERE user_id = %(user_id)s AND success AND network_hash = %(network)s
                              AND at > %(remembered)s) AS known_network,
                   EXISTS (SELECT FROM user_service.login_history
                            WHERE user_id = %(user_id)s AND success AND agent_hash = %(agent)s
                              AND at > %(remembered)s) AS known_agent,
                   (SELECT count(*) FROM (SELECT FROM user_service.login_history
                                           WHERE user_id = %(user_id)s AND NOT success AND at > %(recent)s
                                           LIMIT %(many)s) AS recent) AS recent_failures
            """,
            {
                "user_id": user_id or NO_USER,
                "network": self._network(caller),
                "agent": self._agent(caller),
                "remembered": logins_after,
                "recent": failures_after,
                "many": failures_at_most,
            },
        )
        return CallerHistory(**found) if found else NO_HISTORY

    def page(self, user_id: UserId, size: int, offset: int) -> tuple[list[LoginRecord], int]:
        """One page, newest first, and the total."""
        rows = self._database.rows(
            """
            WITH mine AS (SELECT * FROM user_service.login_history WHERE user_id = %s),
                 paged AS (SELECT * FROM mine ORDER BY at DESC, id DESC LIMIT %s OFFSET %s)
            SELECT paged.*, total FROM (SELECT count(*) AS total FROM mine) AS counted LEFT JOIN paged ON true
             ORDER BY at DESC, id DESC
            """,
            (user_id, size, offset),
        )
        return [self._record(row) for row in rows if row["id"]], int(rows[0]["total"])

    def add(
        self,
        row_id: UUID,
        user_id: UserId | None,
        caller: Caller,
        *,
        email_hash: bytes | None,
        at: datetime,
        method: LoginMethod,
        success: bool,
        suspicious: bool,
    ) -> None:
        client = json.dumps({"ip": caller.ip, "userAgent": caller.user_agent})
        row = {
            "id": row_id,
            "user_id": user_id,
            "email_hash": email_hash,
            "at": at,
            "method": method.value,
            "success": success,
            "suspicious": suspicious,
            "client": self._vault.seal(row_id, "client", client),
            "network": self._network(caller),
            "agent": self._agent(caller),
        }
        with self._database.transaction() as connection:
            connection.execute(
                """
                INSERT INTO user_service.login_history
                       (id, user_id, email_hash, at, method, success, suspicious,
                        client_sealed, network_hash, agent_hash)
                VALUES (%(id)s, %(user_id)s, %(email_hash)s, %(at)s, %(method)s, %(success)s, %(suspicious)s,
                        %(client)s, %(network)s, %(agent)s)
                """,
                row,
            )

    def _record(self, row: Row) -> LoginRecord:
        client = json.loads(self._vault.open(row["id"], "client", row["client_sealed"]))
        method = LoginMethod(row["method"])
        return LoginRecord(row["at"], client["ip"], client["userAgent"], method, row["success"], row["suspicious"])

    def _network(self, caller: Caller) -> bytes:
        return self._vault.lookup("network", caller.network)

    def _agent(self, caller: Caller) -> bytes:
        return self._vault.lookup("agent", caller.user_agent)
