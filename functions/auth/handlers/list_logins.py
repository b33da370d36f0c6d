"""GET /users/me/logins: who signed in to the user's account, and who tried, newest first (AUTH-021)."""

from common.domain.model import Model, Moment
from common.http.endpoint import endpoint
from common.http.page import Page
from common.http.request import Paging, User
from functions.auth.domain.login_record import Method
from functions.auth.wiring.personal_data import login_history


class LoginAnswer(Model):
    at: Moment
    ip: str
    user_agent: str
    method: Method
    success: bool
    suspicious: bool


@endpoint
def handler(user: User, query: Paging) -> Page[LoginAnswer]:
    found, total = login_history().page(user.id, query.size, query.offset)
    items = [LoginAnswer(**vars(login)) for login in found]
    return Page(items=items, page=query.page, size=query.size, total=total)
