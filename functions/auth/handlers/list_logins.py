"""GET /users/me/logins: logins and failed attempts at the user's account, newest first (AUTH-021)."""

from common.domain.model import Model, Moment
from common.http.endpoint import endpoint
from common.http.page import Page
from common.http.request import Paging, User
from functions.auth.domain.login_record import LoginMethod
from functions.auth.wiring.login_history import login_history


class LoginResponse(Model):
    at: Moment
    ip: str
    user_agent: str
    method: LoginMethod
    success: bool
    suspicious: bool


@endpoint
def handler(user: User, query: Paging) -> Page[LoginResponse]:
    found, total = login_history().page(user.id, query.size, query.offset)
    items = [LoginResponse(**vars(login)) for login in found]
    return Page(items=items, page=query.page, size=query.size, total=total)
