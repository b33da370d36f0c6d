"""AWS KMS: only KMS can decrypt the data keys (https://docs.aws.amazon.com/kms/latest/APIReference/)."""

from functools import cached_property
from typing import Any

from common.domain.shared_errors import StoreUnavailable

# Authenticated with every data key, logged by CloudTrail and required by the functions' policies.
CONTEXT = {"purpose": "personal-data"}


class KmsClient:
    """`key` is the KMS key's id, ARN or alias."""

    def __init__(self, key: str) -> None:
        self._key = key

    @cached_property
    def _client(self) -> Any:
        # Imported here: boto3 adds 400 ms to a cold start, and not every request seals or opens a value.
        import boto3
        from botocore.config import Config

        config = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 3})
        return boto3.client("kms", config=config)

    def _call(self, operation: str, **parameters: Any) -> Any:
        """Raises StoreUnavailable."""
        call = getattr(self._client, operation)
        from botocore.exceptions import BotoCoreError, ClientError  # loaded by now, with the client

        try:
            return call(EncryptionContext=CONTEXT, **parameters)
        except (BotoCoreError, ClientError) as error:
            raise StoreUnavailable(f"KMS: {error}") from error

    def generate(self) -> tuple[bytes, bytes]:
        """A new data key of 32 bytes, and the same key sealed."""
        made = self._call("generate_data_key", KeyId=self._key, KeySpec="AES_256")
        return made["Plaintext"], made["CiphertextBlob"]

    def decrypt(self, sealed_key: bytes) -> bytes:
        opened = self._call("decrypt", KeyId=self._key, CiphertextBlob=sealed_key)
        key: bytes = opened["Plaintext"]
        return key
