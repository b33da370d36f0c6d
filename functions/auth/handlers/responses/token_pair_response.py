"""A signed-in client's tokens (`docs/api.md`, Accounts)."""

from typing import Literal

from common.domain.model import Model
from functions.auth.usecases.sessions import TokenPair


class TokenPairAnswer(Model):
    access_token: str
    refresh_token: str
    expires_in: int  # seconds
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - RFC 6750's name


def token_pair_answer(pair: TokenPair) -> TokenPairAnswer:
    return TokenPairAnswer(access_token=pair.access_token, refresh_token=pair.refresh_token, expires_in=pair.expires_in)
