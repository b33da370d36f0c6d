"""The password hasher."""

from functools import cache

from common.runtime.settings import Settings
from functions.auth.adapters.password_hasher import COST, PasswordHasher


class HasherSettings(Settings):
    bcrypt_cost: int = COST


@cache
def password_hasher() -> PasswordHasher:
    return PasswordHasher(HasherSettings.from_environment().bcrypt_cost)
