"""PUT /users/me: another name, another phone number; what is not named stays (AUTH-013)."""

from common.http.endpoint import endpoint
from common.http.request import Body, User
from functions.auth.domain.account_fields import PersonName, Phone
from functions.auth.handlers.responses.account_response import AccountAnswer, account_answer
from functions.auth.wiring.personal_data import accounts


class EditBody(Body):
    """Nothing else can be edited here: a role, an address or an id that is sent along is ignored."""

    name: PersonName | None = None
    phone: Phone | None = None


@endpoint
def handler(user: User, body: EditBody) -> AccountAnswer:
    return account_answer(accounts().update(user.id, body.name, body.phone))
