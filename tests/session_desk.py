"""The accounts service over connections of its own and a clock to move, for tests of sessions and of what ends them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest

from common.domain.clock import new_id
from common.domain.shared_errors import DomainError
from common.stores.postgres import Database
from common.stores.redis import Client
from functions.auth.adapters.account_repository import AccountStore
from functions.auth.adapters.session_repository import SessionStore
from functions.auth.adapters.token_blacklist_redis import Blacklist
from functions.auth.domain.account import Account, NewAccount, Role
from functions.auth.usecases.logout import SignOut
from functions.auth.usecases.session_ending_changes import AccountChanges
from functions.auth.usecases.sessions import AccessToken, Sessions, TokenPair
from tests.vault_in_memory import vault_in_memory

START = datetime(2026, 5, 1, 11, tzinfo=UTC)
LIFE = timedelta(days=7)
NAMES = count()


class Signer:
    """Tokens anybody can read: role, user, session, id."""

    seconds = 3600

    def sign(self, user_id: UUID, role: Role, session_id: UUID, token_id: UUID, now: datetime) -> str:
        return f"{role} {user_id} {session_id} {token_id}"


class RedisAway:
    def add(self, tokens: Sequence[AccessToken], now: datetime) -> None:
        raise ConnectionError


class Desk:
    """The service over a connection of its own, and a clock to move."""

    def __init__(self, database: Database, redis: Client) -> None:
        self.now = START
        self.store = SessionStore(database)
        self.blacklist = Blacklist(redis)
        self.accounts = AccountStore(database, vault_in_memory())
        self.changes = AccountChanges(database, self.blacklist)
        self.sessions = self.with_blacklist(self.blacklist)

    def with_blacklist(self, blacklist: Blacklist | RedisAway) -> Sessions:
        ids = new_id, lambda: f"refresh-{next(NAMES)}"
        return Sessions(self.store, Signer(), blacklist, lambda: self.now, *ids, LIFE)

    def sign_out(self, pair: TokenPair, refresh_token: str | None = None) -> None:
        _, user_id, session_id, token_id = pair.access_token.split()
        access = AccessToken(token_id, self.now + timedelta(hours=1))
        out = SignOut(self.store, self.blacklist, lambda: self.now)
        out.sign_out(UUID(user_id), UUID(session_id), access, refresh_token)

    def join(self, email: str = "hong@example.com", ci: str | None = None) -> UUID:
        """Somebody with an account and the password hash `a hash`."""
        account = Account(new_id(), email, "홍길동", "01012345678", Role.USER, self.now)
        self.accounts.add(NewAccount(account, ci or f"ci of {email}", "a hash"))
        return account.id

    def admits(self, pair: TokenPair) -> bool:
        """Whether the authorizer lets the access token through."""
        return not self.blacklist.holds(pair.access_token.split()[3])

    def refused(self, refresh_token: str) -> type[DomainError]:
        with pytest.raises(DomainError) as refusal:
            self.sessions.renew(refresh_token)
        return type(refusal.value)


def session_of(pair: TokenPair) -> UUID:
    return UUID(pair.access_token.split()[2])


def live_tokens(superuser: Database) -> int:
    """How many refresh tokens can still be exchanged."""
    return len(superuser.rows("SELECT 1 FROM user_service.auth_tokens WHERE spent_at IS NULL AND revoked_at IS NULL"))


def pairs(outcomes: Sequence[object]) -> list[TokenPair]:
    return [outcome for outcome in outcomes if isinstance(outcome, TokenPair)]
