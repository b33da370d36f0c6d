"""POST /users/me/email-verification: mail a code to the user's address, once a minute at most (AUTH-022)."""

from common.http.endpoint import Response, endpoint
from common.http.request import Request, User
from functions.auth.wiring.email_code_sending import code_sending


@endpoint(responses={202: None})
def handler(request: Request, user: User) -> Response:
    code_sending().send(user.id, request.language)
    return Response(None, 202)
