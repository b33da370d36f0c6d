"""OAuth flows between their two halves, in Redis."""

import json
from hashlib import sha256

from common.stores.redis import Client
from functions.auth.domain.social_identity import Provider
from functions.auth.usecases.oauth_flow import Flow

KEEP_SECONDS = 600


def _key(state: str) -> str:
    """By hash: a state is a secret, and a stranger's may be any text."""
    return f"oauth:flow:{{{sha256(state.encode()).hexdigest()}}}"


class FlowStore:
    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def keep(self, state: str, flow: Flow) -> None:
        self._redis.set(_key(state), json.dumps(vars(flow)), ex=KEEP_SECONDS)

    def take(self, state: str) -> Flow | None:
        """Once: reading is removing."""
        kept = self._redis.getdel(_key(state))
        if kept is None:
            return None
        fields = json.loads(str(kept))
        return Flow(Provider(fields["provider"]), fields["redirect_uri"], fields["verifier"])
