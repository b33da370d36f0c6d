"""Password hashes, made and checked by bcrypt (AUTH-014)."""

import bcrypt

from functions.auth.domain.account_fields import PASSWORD_MAX_BYTES

COST = 11  # 2¹¹ rounds: about 0.2 s of a whole vCPU (a function of 1,769 MB or more); OWASP recommends 10 or more


class PasswordHasher:
    """Passwords are in NFKC, as the types in `account_fields` make them. Tests use a lower `cost`; the minimum is 4."""

    def __init__(self, cost: int = COST) -> None:
        self._cost = cost

    def hash(self, password: str) -> str:
        """Raises ValueError for a password of more than 72 bytes in UTF-8."""
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(self._cost)).decode()

    def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether the hash is of this password. False for None, after as long as for a hash."""
        offered, expected = password.encode(), password_hash or _placeholder_hash(self._cost)
        # Cut before the comparison and rejected after it, so that a longer password takes the same time.
        same = bcrypt.checkpw(offered[:PASSWORD_MAX_BYTES], expected.encode())
        # A hash of a lower cost was quicker than the placeholder: 2ⁿ + 2ⁿ + 2ⁿ⁺¹ + … + 2ᵐ⁻¹ rounds are 2ᵐ.
        for cost in range(_cost(expected), self._cost):
            bcrypt.checkpw(b"", _placeholder_hash(cost).encode())
        # bcrypt repeats a key and its closing NUL: for bcrypt, "a" and "a\0a" are the same password.
        return same and password_hash is not None and len(offered) <= PASSWORD_MAX_BYTES and b"\0" not in offered

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash has another cost than today's. It is renewed at the next login."""
        return _cost(password_hash) != self._cost


def _cost(password_hash: str) -> int:
    return int(password_hash.split("$")[2])


def _placeholder_hash(cost: int) -> str:
    """A well-formed hash of no password. Comparing with it takes as long as with an account's hash."""
    return f"$2b${cost:02}${'.' * 53}"
