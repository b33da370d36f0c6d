"""GET /users/me: the signed-in user's account (AUTH-012)."""

from common.http.endpoint import endpoint
from common.http.request import User
from functions.auth.handlers.responses.account_response import AccountAnswer, account_answer
from functions.auth.wiring.personal_data import accounts


@endpoint
def handler(user: User) -> AccountAnswer:
    return account_answer(accounts().account(user.id))
