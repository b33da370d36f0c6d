"""POST /users/me/oauth: from now on, the person a provider vouched for signs in to the user's account (AUTH-007)."""

from functools import cache

from common.domain.clock import utc_now
from common.http.endpoint import endpoint
from common.http.request import Body, User
from common.stores import redis
from common.stores.postgres import database
from functions.auth.adapters.link_token_redis import LinkTokens
from functions.auth.adapters.social_identity_repository import SocialIdentityStore
from functions.auth.domain.account_fields import LinkToken
from functions.auth.domain.errors import AlreadyLinked, OAuthFailed
from functions.auth.usecases.social_linking import SocialLinking


class LinkBody(Body):
    link_token: LinkToken


@cache
def social_linking() -> SocialLinking:
    return SocialLinking(SocialIdentityStore(database()), LinkTokens(redis.client()), utc_now)


@endpoint(raises=[OAuthFailed, AlreadyLinked])
def handler(user: User, body: LinkBody) -> None:
    social_linking().link(user.id, body.link_token.get_secret_value())
