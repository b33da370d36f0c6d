"""The auth service over connections of its own and a clock that tests move, for tests of sessions."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest

from common.domain.clock import new_id
from common.domain.ids import SessionId, UserId
from common.domain.shared_errors import DomainError
from common.stores.postgres import Database
from common.stores.redis import Client
from functions.auth.adapters.account_repository import AccountRepository
from functions.auth.adapters.account_state_repository import AccountStateRepository
from functions.auth.adapters.session_repository import SessionRepository
from functions.auth.adapters.token_blacklist_redis import TokenBlacklist
from functions.auth.domain.account import Account, NewAccount, Role
from functions.auth.domain.session import AccessToken, TokenPair
from functions.auth.usecases.logout import Logout
from functions.auth.usecases.session_ending_changes import SessionEndingChanges
from functions.auth.usecases.sessions import Sessions
from tests.vault_in_memory import vault_in_memory

START = datetime(2026, 5, 1, 11, tzinfo=UTC)
LIFE = timedelta(days=7)
NAMES = count()


class Signer:
    """Signs nothing: the token is role, user, session and id."""

    seconds = 3600

    def sign(self, user_id: UserId, role: Role, session_id: SessionId, token_id: UUID, now: datetime) -> str:
        return f"{role} {user_id} {session_id} {token_id}"


class RedisUnavailable:
    def add(self, tokens: Sequence[AccessToken], now: datetime) -> None:
        raise ConnectionError


class AuthService:
    """The service over connections of its own, and a clock that tests move."""

    def __init__(self, database: Database, redis: Client) -> None:
        self.now = START
        self.records = SessionRepository(database)
        self.blacklist = TokenBlacklist(redis)
        self.accounts = AccountRepository(database, vault_in_memory())
        self.states = AccountStateRepository(database)
        self.changes = SessionEndingChanges(database, self.states, self.records, self.blacklist)
        self.sessions = self.with_blacklist(self.blacklist)

    def with_blacklist(self, blacklist: TokenBlacklist | RedisUnavailable) -> Sessions:
        ids = new_id, lambda: f"refresh-{next(NAMES)}"
        return Sessions(self.records, Signer(), blacklist, lambda: self.now, *ids, LIFE)

    def log_out(self, pair: TokenPair, refresh_token: str | None = None) -> None:
        _, user_id, session_id, token_id = pair.access_token.split()
        access = AccessToken(token_id, self.now + timedelta(hours=1))
        out = Logout(self.records, self.blacklist, lambda: self.now)
        out.log_out(UserId(UUID(user_id)), SessionId(UUID(session_id)), access, refresh_token)

    def register(self, email: str = "hong@example.com", ci: str | None = None) -> UserId:
        """A new account with the password hash `a hash`."""
        account = Account(UserId(new_id()), email, "홍길동", "01012345678", Role.USER, self.now)
        self.accounts.add(NewAccount(account, ci or f"ci of {email}", "a hash"))
        return account.id

    def accepts(self, pair: TokenPair) -> bool:
        """Whether the authorizer accepts the access token."""
        return not self.blacklist.contains(pair.access_token.split()[3])

    def rejection(self, refresh_token: str) -> type[DomainError]:
        with pytest.raises(DomainError) as error:
            self.sessions.renew(refresh_token)
        return type(error.value)


def session_of(pair: TokenPair) -> SessionId:
    return SessionId(UUID(pair.access_token.split()[2]))


def live_tokens(superuser: Database) -> int:
    """How many refresh tokens can still be exchanged."""
    return len(superuser.rows("SELECT 1 FROM user_service.auth_tokens WHERE spent_at IS NULL AND revoked_at IS NULL"))


def pairs(outcomes: Sequence[object]) -> list[TokenPair]:
    return [outcome for outcome in outcomes if isinstance(outcome, TokenPair)]
