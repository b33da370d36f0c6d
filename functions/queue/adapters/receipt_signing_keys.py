"""The keys that place receipts are signed with, from Secrets Manager."""

import time
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Any

from common.domain.shared_errors import StoreUnavailable
from common.runtime.log import log
from common.stores.secrets import RETRY_SECONDS


class ReceiptSigningKeys:
    """No keys while Secrets Manager is unavailable and none was read yet: users get places without receipts."""

    def __init__(self, secret: Callable[[str], Any]) -> None:
        self._secret = secret
        self._retry_at = 0.0  # by the monotonic clock

    def __call__(self) -> Sequence[bytes]:
        if time.monotonic() < self._retry_at:
            return ()
        try:
            return [b64decode(key) for key in self._secret("queue/place")["keys"]]
        except StoreUnavailable:
            log.exception("Secrets Manager is unavailable; places get no receipts")
            self._retry_at = time.monotonic() + RETRY_SECONDS
            return ()
