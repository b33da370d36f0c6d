"""Link tokens in Redis: for ten minutes a social identity can be linked with an account.

Reading a token does not delete it, so a registration that failed, say for a taken address, can be repeated with it. A
constraint on the social identities makes sure that it links only once.
"""

import json
from hashlib import sha256
from secrets import token_urlsafe

from common.stores.redis import Client
from functions.auth.domain.errors import OAuthFailed
from functions.auth.domain.social_identity import Provider, SocialIdentity

VALID_SECONDS = 600


def _key(token: str) -> str:
    return f"oauth:link:{{{sha256(token.encode()).hexdigest()}}}"


class LinkTokens:
    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def issue(self, identity: SocialIdentity) -> str:
        token = token_urlsafe(32)
        fields = {"provider": identity.provider, "subject": identity.subject_hash.hex()}
        self._redis.set(_key(token), json.dumps(fields), ex=VALID_SECONDS)
        return token

    def identity(self, token: str) -> SocialIdentity:
        """Raises OAuthFailed for a token that is unknown, expired or spent."""
        stored = self._redis.get(_key(token))
        if stored is None:
            raise OAuthFailed()
        fields = json.loads(str(stored))
        return SocialIdentity(Provider(fields["provider"]), bytes.fromhex(fields["subject"]))

    def spend(self, token: str) -> None:
        """Call it after the link is written. If the process crashes before, the token raises AlreadyLinked later."""
        self._redis.delete(_key(token))
