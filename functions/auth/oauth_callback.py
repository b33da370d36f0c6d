"""POST /auth/oauth/{provider}/callback: a pair of tokens, or a link token, for what the browser came back with
(AUTH-007)."""

from functools import cache

from common.domain.model import Model
from common.http.endpoint import Answer, endpoint
from common.http.request import Body, Path, Request
from common.stores import redis
from common.stores.postgres import database
from functions.auth.bounds import OAuthCode, OAuthState
from functions.auth.caller import Caller
from functions.auth.composition import login_history, sessions, vault
from functions.auth.errors import OAuthFailed
from functions.auth.link_tokens import LinkTokens
from functions.auth.oauth_composition import oauth_flow
from functions.auth.social_identity import Provider
from functions.auth.social_identity_store import SocialIdentityStore
from functions.auth.social_sign_in import LinkOffer, SocialSignIn
from functions.auth.token_pair_answer import TokenPairAnswer, token_pair_answer


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
