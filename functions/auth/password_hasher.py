"""Passwords as bcrypt keeps them (AUTH-014)."""

import bcrypt

from functions.auth.bounds import PASSWORD_MAX_BYTES

COST = 12  # 2¹² rounds: 0.25 to 0.4 s of a whole vCPU, which a function has from 1,769 MB on


class PasswordHasher:
    """Tests take a lower `cost`; 4 is bcrypt's least."""

    def __init__(self, cost: int = COST) -> None:
        self._cost = cost
        # Well-formed, of this cost, and nobody's: comparing with it takes as long as with an account's.
        self._nobodys = f"$2b${cost:02}${'.' * 53}"

    def hash(self, password: str) -> str:
        """`password` is at most 72 bytes of UTF-8; ValueError otherwise."""
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(self._cost)).decode()

    def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether this is the hash's password. Never for None, which takes just as long to find out."""
        offered = password.encode()
        # Cut first and judged after, so that a longer one is compared too, and takes the same time to be wrong.
        same = bcrypt.checkpw(offered[:PASSWORD_MAX_BYTES], (password_hash or self._nobodys).encode())
        return same and password_hash is not None and len(offered) <= PASSWORD_MAX_BYTES
