"""POST /auth/oauth/{provider}/callback: a pair of tokens, or a link token, for the code that the provider gave the
browser (AUTH-007)."""

from common.domain.model import Model
from common.http.endpoint import Response, endpoint
from common.http.request import Body, Path, Request
from functions.auth.domain.account_fields import OAuthCode, OAuthState
from functions.auth.domain.caller import Caller
from functions.auth.domain.errors import OAuthFailed
from functions.auth.domain.social_identity import LinkOffer, Provider
from functions.auth.handlers.responses.token_pair_response import TokenPairResponse, token_pair_response
from functions.auth.wiring.social_login import social_login


class CallbackPath(Path):
    provider: Provider


class CallbackBody(Body):
    code: OAuthCode
    state: OAuthState


class LinkOfferResponse(Model):
    link_token: str
    email: str | None
    name: str | None


@endpoint(responses={202: LinkOfferResponse}, raises=[OAuthFailed])
def handler(request: Request, path: CallbackPath, body: CallbackBody) -> TokenPairResponse | Response:
    state, code = body.state.get_secret_value(), body.code.get_secret_value()
    result = social_login().log_in(path.provider, state, code, Caller.of(request.source_ip, request.headers))
    if isinstance(result, LinkOffer):
        return Response(LinkOfferResponse(link_token=result.link_token, email=result.email, name=result.name), 202)
    return token_pair_response(result)
