"""The keys that verify tickets."""

from typing import Any

from common.wiring.secret_cache import secret


def ticket_keys() -> dict[str, Any]:
    """A JWK set (RFC 7517). The secret may hold more members than may be shown."""
    return secret("ticket/verification")
