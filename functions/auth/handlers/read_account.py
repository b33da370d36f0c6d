"""GET /users/me: the logged-in user's account (AUTH-012)."""

from common.http.endpoint import endpoint
from common.http.request import User
from functions.auth.handlers.responses.account_response import AccountResponse, account_response
from functions.auth.wiring.personal_data import accounts


@endpoint
def handler(user: User) -> AccountResponse:
    return account_response(accounts().account(user.id))
