"""Logging in with a password."""

from functools import cache

from common.wiring.captcha_client import captcha_client
from functions.auth.usecases.login import Login
from functions.auth.wiring.lockout import lockout
from functions.auth.wiring.login_history import login_history
from functions.auth.wiring.lookup_hash import lookup
from functions.auth.wiring.passwords import password_hasher
from functions.auth.wiring.personal_data import accounts
from functions.auth.wiring.sessions import sessions


@cache
def login() -> Login:
    return Login(captcha_client(), accounts(), lookup(), lockout(), password_hasher(), login_history(), sessions())
