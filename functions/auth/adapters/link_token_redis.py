"""Link tokens in Redis: ten minutes in which a person a provider vouched for can be linked with an account.

Reading one leaves it: a registration that is refused for a taken address can be sent again with it. That it links once
is decided where the identity is written, by a constraint.
"""

import json
from hashlib import sha256
from secrets import token_urlsafe

from common.stores.redis import Client
from functions.auth.domain.errors import OAuthFailed
from functions.auth.domain.social_identity import Provider, SocialIdentity

KEEP_SECONDS = 600


def _key(token: str) -> str:
    return f"oauth:link:{{{sha256(token.encode()).hexdigest()}}}"


class LinkTokens:
    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def issue(self, identity: SocialIdentity) -> str:
        token = token_urlsafe(32)
        kept = {"provider": identity.provider, "subject": identity.subject_hash.hex()}
        self._redis.set(_key(token), json.dumps(kept), ex=KEEP_SECONDS)
        return token

    def identity(self, token: str) -> SocialIdentity:
        """Raises OAuthFailed for a token that is unknown, expired or spent."""
        kept = self._redis.get(_key(token))
        if kept is None:
            raise OAuthFailed()
        fields = json.loads(str(kept))
        return SocialIdentity(Provider(fields["provider"]), bytes.fromhex(fields["subject"]))

    def spend(self, token: str) -> None:
        """After the link was written. Die before, and the token is told ALREADY_LINKED for as long as it is left."""
        self._redis.delete(_key(token))
