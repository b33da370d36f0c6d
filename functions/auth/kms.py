"""AWS KMS, which alone can open the data keys (https://docs.aws.amazon.com/kms/latest/APIReference/)."""

from functools import cached_property
from typing import Any

from common.domain.problem import means_store_away

# Authenticated with every data key, written to CloudTrail, and asked for by the functions' policies.
CONTEXT = {"purpose": "personal-data"}


class PersonalDataKms:
    """`key` is the KMS key's id, ARN or alias."""

    def __init__(self, key: str) -> None:
        self._key = key

    @cached_property
    def _client(self) -> Any:
        # Imported here: boto3 costs a cold start 400 ms, and not every request seals or opens.
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        means_store_away(BotoCoreError, ClientError)
        config = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 3})
        return boto3.client("kms", config=config)

    def generate(self) -> tuple[bytes, bytes]:
        """A new data key of 32 bytes, and the same sealed."""
        made = self._client.generate_data_key(KeyId=self._key, KeySpec="AES_256", EncryptionContext=CONTEXT)
        return made["Plaintext"], made["CiphertextBlob"]

    def decrypt(self, sealed_key: bytes) -> bytes:
        opened = self._client.decrypt(KeyId=self._key, CiphertextBlob=sealed_key, EncryptionContext=CONTEXT)
        key: bytes = opened["Plaintext"]
        return key
