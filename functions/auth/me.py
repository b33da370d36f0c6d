"""GET /users/me: the signed-in user's account (AUTH-012)."""

from common.edge import endpoint
from common.request import User
from functions.auth.account_answer import AccountAnswer, account_answer
from functions.auth.composition import accounts


@endpoint
def handler(user: User) -> AccountAnswer:
    return account_answer(accounts().account(user.id))
