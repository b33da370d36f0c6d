"""POST /auth/oauth/{provider}/callback: a pair of tokens, or a link token, for what the browser came back with
(AUTH-007)."""

from functools import cache

from common.domain.model import Model
from common.http.endpoint import Answer, endpoint
from common.http.request import Body, Path, Request
from common.stores import redis
from common.stores.postgres import database
from functions.auth.adapters.link_token_redis import LinkTokens
from functions.auth.adapters.social_identity_repository import SocialIdentityStore
from functions.auth.domain.account_fields import OAuthCode, OAuthState
from functions.auth.domain.caller import Caller
from functions.auth.domain.errors import OAuthFailed
from functions.auth.domain.social_identity import Provider
from functions.auth.handlers.responses.token_pair_response import TokenPairAnswer, token_pair_answer
from functions.auth.usecases.social_login import LinkOffer, SocialSignIn
from functions.auth.wiring.oauth_flow import oauth_flow
from functions.auth.wiring.personal_data import login_history, sessions, vault


class CallbackPath(Path):
    provider: Provider


class CallbackBody(Body):
    code: OAuthCode
    state: OAuthState


class LinkOfferAnswer(Model):
    link_token: str
    email: str | None
    name: str | None


@cache
def social_sign_in() -> SocialSignIn:
    identities, link_tokens = SocialIdentityStore(database()), LinkTokens(redis.client())
    return SocialSignIn(oauth_flow(), vault().lookup, identities, link_tokens, login_history(), sessions())


@endpoint(answers={202: LinkOfferAnswer}, raises=[OAuthFailed])
def handler(request: Request, path: CallbackPath, body: CallbackBody) -> TokenPairAnswer | Answer:
    state, code = body.state.get_secret_value(), body.code.get_secret_value()
    result = social_sign_in().sign_in(path.provider, state, code, Caller.of(request))
    if isinstance(result, LinkOffer):
        return Answer(LinkOfferAnswer(link_token=result.link_token, email=result.email, name=result.name), 202)
    return token_pair_answer(result)
