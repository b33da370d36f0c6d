"""Logging out ends the session, and the access token that was used last of all (AUTH-008)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from common.domain.ids import SessionId, UserId
from functions.auth.domain.session import AccessToken, token_hash
from functions.auth.usecases.logout import Logout

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)
USER, SESSION = UserId(UUID(int=7)), SessionId(UUID(int=9))
USED_TOKEN = AccessToken("used", NOW + timedelta(minutes=30))
EARLIER = AccessToken("earlier", NOW + timedelta(minutes=5))


class Fakes:
    """Session records and blacklist, with the calls in order. Adding the token `failing` raises."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.failing: str | None = None

    def end(self, *what: object) -> Sequence[AccessToken]:
        self.calls.append(what)
        return [USED_TOKEN, EARLIER]

    def add(self, tokens: Sequence[AccessToken], now: datetime) -> None:
        for token in tokens:
            if token.id == self.failing:
                raise ConnectionError
            self.calls.append(token)


@pytest.mark.parametrize("refresh_token", [None, "refresh"])
def test_logging_out_ends_the_session_then_revokes_its_other_access_tokens_and_last_the_one_used(
    refresh_token: str | None,
) -> None:
    fakes = Fakes()
    Logout(fakes, fakes, lambda: NOW).log_out(USER, SESSION, USED_TOKEN, refresh_token)
    spent = token_hash(refresh_token) if refresh_token else None
    assert fakes.calls == [(USER, SESSION, spent, NOW), EARLIER, USED_TOKEN]


def test_a_logout_that_failed_half_way_can_be_repeated_with_the_same_token() -> None:
    fakes = Fakes()
    fakes.failing = EARLIER.id
    with pytest.raises(ConnectionError):
        Logout(fakes, fakes, lambda: NOW).log_out(USER, SESSION, USED_TOKEN, None)
    assert USED_TOKEN not in fakes.calls
