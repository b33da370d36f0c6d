"""POST /users/me/oauth: link a social identity, which can log in to the user's account from now on (AUTH-007)."""

from common.http.endpoint import endpoint
from common.http.request import Body, User
from functions.auth.domain.account_fields import LinkToken
from functions.auth.domain.errors import AlreadyLinked, OAuthFailed
from functions.auth.wiring.social_linking import social_linking


class LinkBody(Body):
    link_token: LinkToken


@endpoint(raises=[OAuthFailed, AlreadyLinked])
def handler(user: User, body: LinkBody) -> None:
    social_linking().link(user.id, body.link_token.get_secret_value())
