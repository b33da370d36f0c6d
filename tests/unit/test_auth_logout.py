"""Signing out ends the session, and the access token in hand last of all (AUTH-008)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from common.domain.ids import SessionId, UserId
from functions.auth.domain.session import AccessToken, token_hash
from functions.auth.usecases.logout import Logout

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)
USER, SESSION = UserId(UUID(int=7)), SessionId(UUID(int=9))
IN_HAND = AccessToken("in hand", NOW + timedelta(minutes=30))
EARLIER = AccessToken("earlier", NOW + timedelta(minutes=5))


class Fakes:
    """Both stores, with what was asked of them in order. Adding the token `failing` raises."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.failing: str | None = None

    def end(self, *what: object) -> Sequence[AccessToken]:
        self.asked.append(what)
        return [IN_HAND, EARLIER]

    def add(self, tokens: Sequence[AccessToken], now: datetime) -> None:
        for token in tokens:
            if token.id == self.failing:
                raise ConnectionError
            self.asked.append(token)


@pytest.mark.parametrize("refresh_token", [None, "refresh"])
def test_signing_out_ends_the_session_then_its_other_access_tokens_and_then_the_one_in_hand(
    refresh_token: str | None,
) -> None:
    fakes = Fakes()
    Logout(fakes, fakes, lambda: NOW).log_out(USER, SESSION, IN_HAND, refresh_token)
    spent = token_hash(refresh_token) if refresh_token else None
    assert fakes.asked == [(USER, SESSION, spent, NOW), EARLIER, IN_HAND]


def test_a_sign_out_that_failed_half_way_leaves_the_token_to_repeat_it_with() -> None:
    fakes = Fakes()
    fakes.failing = EARLIER.id
    with pytest.raises(ConnectionError):
        Logout(fakes, fakes, lambda: NOW).log_out(USER, SESSION, IN_HAND, None)
    assert IN_HAND not in fakes.asked
