"""Who logged in to an account, from where, and who tried (AUTH-021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.domain.clock import Clock, NewId
from common.domain.ids import UserId
from common.runtime.log import log
from common.runtime.metrics import emit
from functions.auth.domain.caller import Caller
from functions.auth.domain.login_record import (
    MANY_FAILURES,
    RECENT,
    REMEMBERED,
    CallerHistory,
    LoginMethod,
    LoginRecord,
)

if TYPE_CHECKING:
    from functions.auth.adapters.login_history_repository import LoginHistoryRepository


class LoginHistory:
    def __init__(self, repository: LoginHistoryRepository, clock: Clock, ids: NewId) -> None:
        self._repository = repository
        self._clock = clock
        self._ids = ids

    def of_caller(self, user_id: UserId | None, caller: Caller) -> CallerHistory:
        """For None, when there is no account, it takes as long and finds nothing."""
        now = self._clock()
        return self._repository.caller_history(
            user_id,
            caller,
            logins_after=now - REMEMBERED,
            failures_after=now - RECENT,
            failures_at_most=MANY_FAILURES,
        )

    def failed(self, user_id: UserId | None, email_hash: bytes, caller: Caller) -> None:
        self._add(user_id, email_hash, caller, LoginMethod.PASSWORD, success=False, suspicious=False)

    def succeeded(
        self, user_id: UserId, caller: Caller, method: LoginMethod, history: CallerHistory | None = None
    ) -> None:
        """Call it before the session opens, so that every login is recorded. `history` is read if it is not given."""
        suspicious = (history or self.of_caller(user_id, caller)).suspicious
        self._add(user_id, None, caller, method, success=True, suspicious=suspicious)
        if suspicious:
            log.warning("suspicious login", extra={"user_id": str(user_id), "login_method": method.value})
        emit({"service": "auth"}, SuspiciousSignIns=int(suspicious))

    def page(self, user_id: UserId, size: int, offset: int) -> tuple[list[LoginRecord], int]:
        """One page, newest first, and the total."""
        return self._repository.page(user_id, size, offset)

    def _add(
        self,
        user_id: UserId | None,
        email_hash: bytes | None,
        caller: Caller,
        method: LoginMethod,
        *,
        success: bool,
        suspicious: bool,
    ) -> None:
        self._repository.add(
            self._ids(),
            user_id,
            caller,
            email_hash=email_hash,
            at=self._clock(),
            method=method,
            success=success,
            suspicious=suspicious,
        )
