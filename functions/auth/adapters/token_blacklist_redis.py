"""Revoked access tokens, in Redis until they would have expired (AUTH-010)."""

from collections.abc import Sequence
from datetime import datetime
from math import ceil

from common.protection.token_blacklist import revoked_key
from common.stores.redis import Client
from functions.auth.domain.session import AccessToken


class TokenBlacklist:
    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def add(self, tokens: Sequence[AccessToken], now: datetime) -> None:
        """In one round trip. Tokens that have expired are left out."""
        left = [(token.id, ceil((token.expires_at - now).total_seconds())) for token in tokens]
        with self._redis.pipeline(transaction=False) as pipeline:
            for token_id, seconds in left:
                if seconds > 0:
                    pipeline.set(revoked_key(token_id), "1", ex=seconds)
            pipeline.execute()

    def contains(self, token_id: str) -> bool:
        return bool(self._redis.exists(revoked_key(token_id)))
