"""Logging in through a social identity."""

from functools import cache

from common.wiring.database import database
from common.wiring.redis_client import redis_client
from functions.auth.adapters.link_token_redis import LinkTokens
from functions.auth.adapters.social_identity_repository import SocialIdentityRepository
from functions.auth.usecases.social_login import SocialLogin
from functions.auth.wiring.login_history import login_history
from functions.auth.wiring.lookup_hash import lookup
from functions.auth.wiring.oauth_flow import oauth_flow
from functions.auth.wiring.sessions import sessions


@cache
def social_login() -> SocialLogin:
    identities, link_tokens = SocialIdentityRepository(database()), LinkTokens(redis_client())
    return SocialLogin(oauth_flow(), lookup(), identities, link_tokens, login_history(), sessions())
