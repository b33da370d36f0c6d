"""The states of social logins in Redis, between the two requests of each."""

import json
from hashlib import sha256

from common.stores.redis import Client
from functions.auth.domain.social_identity import OAuthAttempt, Provider

VALID_SECONDS = 600


def _key(state: str) -> str:
    """By hash: a state is a secret, and a caller may send any text."""
    return f"oauth:flow:{{{sha256(state.encode()).hexdigest()}}}"


class OAuthStates:
    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def save(self, state: str, attempt: OAuthAttempt) -> None:
        self._redis.set(_key(state), json.dumps(vars(attempt)), ex=VALID_SECONDS)

    def take(self, state: str) -> OAuthAttempt | None:
        """Reading deletes it, so each state works once."""
        stored = self._redis.getdel(_key(state))
        if stored is None:
            return None
        fields = json.loads(str(stored))
        return OAuthAttempt(Provider(fields["provider"]), fields["redirect_uri"], fields["verifier"])
