"""Changes of an account that end sessions, each in one transaction with them (AUTH-015, AUTH-016, AUTH-018).

The access tokens of the ended sessions are blacklisted last before the commit. If the process crashes there or Redis is
unavailable, nothing is changed: those tokens may be revoked already, their sessions can refresh them, and the change
can be requested again.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from common.domain.ids import SessionId, UserId
from common.stores.postgres import Database
from functions.auth.domain.account import OwnershipProof

if TYPE_CHECKING:
    from functions.auth.adapters.account_state_repository import AccountStateRepository
    from functions.auth.adapters.session_repository import SessionRepository
    from functions.auth.adapters.token_blacklist_redis import TokenBlacklist


class SessionEndingChanges:
    def __init__(
        self,
        database: Database,
        accounts: AccountStateRepository,
        sessions: SessionRepository,
        blacklist: TokenBlacklist,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._sessions = sessions
        self._blacklist = blacklist

    def change_password(
        self, user_id: UserId, old_hash: str, new_hash: str, session_id: SessionId, now: datetime
    ) -> bool:
        """End every session but `session_id`. False, without a change, if `old_hash` is no longer the account's."""
        with self._database.transaction() as connection:
            if not self._accounts.change_password(connection, user_id, old_hash, new_hash):
                return False
            ended = self._sessions.end_all(connection, user_id, now, but=session_id)
            self._blacklist.add(ended, now)
        return True

    def withdraw(self, user_id: UserId, password_hash: str, now: datetime) -> bool:
        """End the account and every session. False, without a change, if the password has changed."""
        with self._database.transaction() as connection:
            if not self._accounts.withdraw(connection, user_id, password_hash, now):
                return False
            ended = self._sessions.end_all(connection, user_id, now)
            self._blacklist.add(ended, now)
        return True

    def correct_email(self, user_id: UserId, email_sealed: bytes, proof: OwnershipProof, now: datetime) -> bool:
        """Replace the address, spend the verification and end every session. Raises EmailTaken, and IdentityNotVerified
        if the verification was spent meanwhile. False, without a change, if the address was verified meanwhile."""
        with self._database.transaction() as connection:
            if not self._accounts.correct_email(connection, user_id, email_sealed, proof):
                return False
            self._accounts.spend_verification(connection, proof.identity_verification, "email", now)
            ended = self._sessions.end_all(connection, user_id, now)
            self._blacklist.add(ended, now)
        return True

    def reset_password(self, user_id: UserId, new_hash: str, proof: OwnershipProof, now: datetime) -> bool:
        """Spend the verification and end every session. Raises IdentityNotVerified if it was spent meanwhile. False,
        without a change, if the account was withdrawn meanwhile."""
        with self._database.transaction() as connection:
            if not self._accounts.reset_password(connection, user_id, new_hash):
                return False
            self._accounts.spend_verification(connection, proof.identity_verification, "reset", now)
            ended = self._sessions.end_all(connection, user_id, now)
            self._blacklist.add(ended, now)
        return True
