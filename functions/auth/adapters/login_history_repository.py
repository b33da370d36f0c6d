"""The login history in Postgres; where from and with what is sealed, and found by keyed hashes (AUTH-020, AUTH-021)."""

import json
from uuid import UUID

from common.domain.clock import Clock, NewId
from common.runtime.log import log
from common.runtime.metrics import emit
from common.stores.postgres import Database, Row
from functions.auth.adapters.vault import Vault
from functions.auth.domain.caller import Caller
from functions.auth.domain.login_record import MANY_FAILURES, RECENT, REMEMBERED, Login, Method, Past

NOBODY = UUID(int=0)  # looked up where there is no account: the same query, for as long


class LoginHistory:
    def __init__(self, database: Database, vault: Vault, clock: Clock, ids: NewId) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._ids = ids

    def past(self, user_id: UUID | None, caller: Caller) -> Past:
        """None asks for nobody, and takes as long."""
        now = self._clock()
        found = self._database.row(
            """
            SELECT EXISTS (SELECT FROM user_service.users
                            WHERE id = %(user_id)s AND last_login_at IS NOT NULL) AS signed_in_before,
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
                "user_id": user_id or NOBODY,
                "network": self._network(caller),
                "agent": self._agent(caller),
                "remembered": now - REMEMBERED,
                "recent": now - RECENT,
                "many": MANY_FAILURES,
            },
        )
        return Past(**found) if found else Past(False, False, False, 0)

    def failed(self, user_id: UUID | None, email_hash: bytes, caller: Caller) -> None:
        self._add(user_id, email_hash, caller, Method.PASSWORD, success=False, suspicious=False)

    def succeeded(self, user_id: UUID, caller: Caller, method: Method, past: Past | None = None) -> None:
        """To be recorded before the session is opened: no sign-in goes unseen. `past` is read when it is not given."""
        suspicious = (past or self.past(user_id, caller)).suspicious
        self._add(user_id, None, caller, method, success=True, suspicious=suspicious)
        if suspicious:
            log.warning("suspicious sign-in", extra={"user_id": str(user_id), "login_method": method.value})
        emit({"service": "auth"}, SuspiciousSignIns=int(suspicious))

    def page(self, user_id: UUID, size: int, offset: int) -> tuple[list[Login], int]:
        """A page, newest first, and how many there are in all."""
        rows = self._database.rows(
            """
            WITH mine AS (SELECT * FROM user_service.login_history WHERE user_id = %s),
                 paged AS (SELECT * FROM mine ORDER BY at DESC, id DESC LIMIT %s OFFSET %s)
            SELECT paged.*, total FROM (SELECT count(*) AS total FROM mine) AS counted LEFT JOIN paged ON true
             ORDER BY at DESC, id DESC
            """,
            (user_id, size, offset),
        )
        return [self._login(row) for row in rows if row["id"]], int(rows[0]["total"])

    def _login(self, row: Row) -> Login:
        client = json.loads(self._vault.open(row["id"], "client", row["client_sealed"]))
        method = Method(row["method"])
        return Login(row["at"], client["ip"], client["userAgent"], method, row["success"], row["suspicious"])

    def _add(
        self,
        user_id: UUID | None,
        email_hash: bytes | None,
        caller: Caller,
        method: Method,
        *,
        success: bool,
        suspicious: bool,
    ) -> None:
        row_id = self._ids()
        client = json.dumps({"ip": caller.ip, "userAgent": caller.user_agent})
        row = {
            "id": row_id,
            "user_id": user_id,
            "email_hash": email_hash,
            "at": self._clock(),
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

    def _network(self, caller: Caller) -> bytes:
        return self._vault.lookup("network", caller.network)

    def _agent(self, caller: Caller) -> bytes:
        return self._vault.lookup("agent", caller.user_agent)
