"""Secrets from AWS Secrets Manager, kept for five minutes a container so that a rotation is seen without a deploy."""

import json
import time
from contextlib import suppress
from functools import cache
from typing import Any

from common.domain.shared_errors import StoreUnavailable
from common.runtime.settings import Settings

KEEP_SECONDS = 300
RETRY_SECONDS = 30


class SecretSettings(Settings):
    secrets_prefix: str  # "ticketing/"


@cache
def _secrets_manager() -> Any:
    # Imported here: boto3 costs a cold start 400 ms, and functions without a secret never pay it.
    import boto3
    from botocore.config import Config

    # Two that hang fit into a function's 10 s (`tests/unit/test_timeouts.py`), so that it lives to use the ones kept.
    return boto3.client(
        "secretsmanager", config=Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 2})
    )


# Under SnapStart the client is made before the snapshot is taken, boto3's import with it. No secret, connection or
# random number is: those are had on first use, by each restored copy for itself.
with suppress(ImportError):  # Lambda's runtime brings it along, other emulators may not
    from snapshot_restore_py import register_before_snapshot

    register_before_snapshot(_secrets_manager)

_kept: dict[str, tuple[float, dict[str, Any]]] = {}


def secret(name: str) -> dict[str, Any]:
    """The JSON object kept under `<SECRETS_PREFIX><name>`. While Secrets Manager is unavailable the last one read is
    used. Raises StoreUnavailable if there is none."""
    kept = _kept.get(name)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    try:
        name_there = SecretSettings.from_environment().secrets_prefix + name
        # AWSCURRENT is the default, but not of moto once the label was moved.
        answer = _secrets_manager().get_secret_value(SecretId=name_there, VersionStage="AWSCURRENT")
    except Exception as error:
        if kept is None:
            from botocore.exceptions import BotoCoreError, ClientError  # loaded by now, with the client

            if isinstance(error, (BotoCoreError, ClientError)):
                raise StoreUnavailable(f"Secrets Manager: {error}") from error
            raise
        _kept[name] = (time.monotonic() + RETRY_SECONDS, kept[1])
        return kept[1]
    value: dict[str, Any] = json.loads(answer["SecretString"])
    _kept[name] = (time.monotonic() + KEEP_SECONDS, value)
    return value
