"""Keyed hashes under which personal data are looked up (AUTH-020)."""

import hmac
from collections.abc import Callable


class LookupHash:
    """`key` returns 32 bytes."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def __call__(self, kind: str, text: str) -> bytes:
        """32 bytes of HMAC-SHA-256, separate for each `kind` ("email", "ci", …).

        E-mail addresses are equal in any case (AUTH-005); everything else must match exactly.
        """
        compared = text.casefold() if kind == "email" else text
        return hmac.digest(self._key(), f"{kind}\0{compared}".encode(), "sha256")
