"""PUT /users/me: change name or phone number; a field that is not given stays (AUTH-013)."""

from common.http.endpoint import endpoint
from common.http.request import Body, User
from functions.auth.domain.account_fields import PersonName, Phone
from functions.auth.handlers.responses.account_response import AccountResponse, account_response
from functions.auth.wiring.personal_data import accounts


class EditBody(Body):
    """No other field can be edited: a role, an address or an id in the body is rejected."""

    name: PersonName | None = None
    phone: Phone | None = None


@endpoint
def handler(user: User, body: EditBody) -> AccountResponse:
    return account_response(accounts().update(user.id, body.name, body.phone))
