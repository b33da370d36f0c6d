"""The payments service's secrets, without what uses them."""

from collections.abc import Mapping
from typing import Any

from common.wiring.secret_cache import secret


def portone_secret() -> Mapping[str, Any]:
    """`storeId`, `channelKey`, `apiSecret` and `webhookSecrets`; read again when it may have been rotated."""
    return secret("portone")
