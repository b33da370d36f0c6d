"""GET /auth/oauth/{provider}: where to send a browser to log in at Kakao, Naver or Google (AUTH-007)."""

from typing import Annotated

from pydantic import Field

from common.domain.model import Model, Text
from common.http.endpoint import endpoint
from common.http.request import Path, Query
from functions.auth.domain.social_identity import Provider
from functions.auth.wiring.oauth_flow import oauth_flow


class StartPath(Path):
    provider: Provider


class StartQuery(Query):
    redirect_uri: Annotated[Text, Field(max_length=2000)] | None = None


class StartResponse(Model):
    authorization_url: str
    state: str


@endpoint
def handler(path: StartPath, query: StartQuery) -> StartResponse:
    start = oauth_flow().begin(path.provider, query.redirect_uri)
    return StartResponse(authorization_url=start.authorization_url, state=start.state)
