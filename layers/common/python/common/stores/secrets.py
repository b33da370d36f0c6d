"""Secrets from AWS Secrets Manager, read again after five minutes so that a rotation needs no deployment."""

import json
import time
from collections.abc import Callable
from typing import Any

from common.domain.shared_errors import StoreUnavailable

KEEP_SECONDS = 300
RETRY_SECONDS = 30


class SecretCache:
    """`manager` makes boto3's client at the first read; `prefix` comes before each secret's name."""

    def __init__(self, manager: Callable[[], Any], prefix: str, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._manager = manager
        self._prefix = prefix
        self._elapsed = elapsed
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}

    def read(self, name: str) -> dict[str, Any]:
        """The secret, a JSON object. While Secrets Manager is unavailable, the last one read is used.

        Raises StoreUnavailable if there is none.
        """
        kept = self._kept.get(name)
        if kept is not None and kept[0] > self._elapsed():
            return kept[1]
        try:
            # AWSCURRENT is the default, but not of moto once the label was moved.
            answer = self._manager().get_secret_value(SecretId=self._prefix + name, VersionStage="AWSCURRENT")
        except Exception as error:
            if kept is None:
                from botocore.exceptions import BotoCoreError, ClientError  # loaded by now, with the client

                if isinstance(error, (BotoCoreError, ClientError)):
                    raise StoreUnavailable(f"Secrets Manager: {error}") from error
                raise
            self._kept[name] = (self._elapsed() + RETRY_SECONDS, kept[1])
            return kept[1]
        value: dict[str, Any] = json.loads(answer["SecretString"])
        self._kept[name] = (self._elapsed() + KEEP_SECONDS, value)
        return value
