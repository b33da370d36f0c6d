"""Passwords as bcrypt keeps them (AUTH-014)."""

from functools import cache

import bcrypt

from common.runtime.settings import Settings
from functions.auth.domain.account_fields import PASSWORD_MAX_BYTES

COST = 11  # 2¹¹ rounds: about 0.2 s of a whole vCPU, which a function has from 1,769 MB on; OWASP asks for 10 or more


class PasswordHasher:
    """Passwords are in NFKC, as the types in `bounds` make them. Tests take a lower `cost`; 4 is bcrypt's least."""

    def __init__(self, cost: int = COST) -> None:
        self._cost = cost

    def hash(self, password: str) -> str:
        """`password` is at most 72 bytes of UTF-8; ValueError otherwise."""
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(self._cost)).decode()

    def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether this is the hash's password. Never for None, which takes just as long to find out."""
        offered, kept = password.encode(), password_hash or _nobodys(self._cost)
        # Cut first and judged after, so that a longer one is compared too, and takes the same time to be wrong.
        same = bcrypt.checkpw(offered[:PASSWORD_MAX_BYTES], kept.encode())
        # A hash from a time of lower costs was quicker than nobody's: 2ⁿ + 2ⁿ + 2ⁿ⁺¹ + … + 2ᵐ⁻¹ rounds are 2ᵐ.
        for cost in range(_cost(kept), self._cost):
            bcrypt.checkpw(b"", _nobodys(cost).encode())
        # bcrypt repeats a key and its closing NUL: to it "a" and "a\0a" are one password.
        return same and password_hash is not None and len(offered) <= PASSWORD_MAX_BYTES and b"\0" not in offered

    def is_outdated(self, password_hash: str) -> bool:
        """Of another cost than today's: to be renewed when its password is at hand."""
        return _cost(password_hash) != self._cost


def _cost(password_hash: str) -> int:
    return int(password_hash.split("$")[2])


def _nobodys(cost: int) -> str:
    """Well-formed, of this cost, and nobody's: comparing with it takes as long as with an account's."""
    return f"$2b${cost:02}${'.' * 53}"


class HasherSettings(Settings):
    bcrypt_cost: int = COST


@cache
def password_hasher() -> PasswordHasher:
    return PasswordHasher(HasherSettings.from_environment().bcrypt_cost)
