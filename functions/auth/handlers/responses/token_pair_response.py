"""The tokens of a session (`docs/api.md`, Accounts)."""

from typing import Literal

from common.domain.model import Model
from functions.auth.domain.session import TokenPair


class TokenPairResponse(Model):
    access_token: str
    refresh_token: str
    expires_in: int  # seconds
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - RFC 6750's name


def token_pair_response(pair: TokenPair) -> TokenPairResponse:
    return TokenPairResponse(
        access_token=pair.access_token, refresh_token=pair.refresh_token, expires_in=pair.expires_in
    )
