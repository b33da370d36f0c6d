"""This function's secrets."""

from contextlib import suppress
from functools import cache
from typing import Any

from common.runtime.settings import Settings
from common.stores.secrets import SecretCache


class SecretSettings(Settings):
    secrets_prefix: str  # "ticketing/"


@cache
def secrets_manager() -> Any:
    # Imported here: boto3 costs a cold start 400 ms, and functions without a secret never need it.
    import boto3
    from botocore.config import Config

    # Two attempts that hang fit into a function's 10 s (`tests/unit/test_timeouts.py`): it can then use the secret it
    # has.
    return boto3.client(
        "secretsmanager", config=Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 2})
    )


# Under SnapStart the client is made, and boto3 imported, before the snapshot is taken. Secrets, connections and random
# numbers are not: each restored copy gets its own at first use.
with suppress(ImportError):  # Lambda's runtime has it, other emulators may not
    from snapshot_restore_py import register_before_snapshot

    register_before_snapshot(secrets_manager)


@cache
def _secret_cache() -> SecretCache:
    return SecretCache(secrets_manager, SecretSettings.from_environment().secrets_prefix)


def secret(name: str) -> dict[str, Any]:
    """The secret `<SECRETS_PREFIX><name>`, a JSON object. Raises StoreUnavailable."""
    return _secret_cache().read(name)
