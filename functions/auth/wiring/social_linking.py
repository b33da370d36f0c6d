"""Linking a social identity with an account."""

from functools import cache

from common.domain.clock import utc_now
from common.wiring.database import database
from common.wiring.redis_client import redis_client
from functions.auth.adapters.link_token_redis import LinkTokens
from functions.auth.adapters.social_identity_repository import SocialIdentityRepository
from functions.auth.usecases.social_linking import SocialLinking


@cache
def social_linking() -> SocialLinking:
    return SocialLinking(SocialIdentityRepository(database()), LinkTokens(redis_client()), utc_now)
