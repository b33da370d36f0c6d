"""The KMS key of personal data (in moto), as template.yaml creates it on AWS, and a data key under it."""

from base64 import b64decode
from datetime import timedelta
from typing import Any

import boto3

from common.domain.clock import utc_now
from common.domain.shared_errors import StoreUnavailable
from common.stores.postgres import Database
from functions.auth.adapters.clients.kms_client import KmsClient
from functions.auth.adapters.data_key_repository import DataKeyRepository
from functions.auth.adapters.vault import Vault
from functions.auth.usecases.data_keys import DataKeys


def make_kms_key(alias: str) -> None:
    """Creates a key with this alias (`alias/…`), unless it exists."""
    kms = boto3.client("kms")
    try:
        kms.describe_key(KeyId=alias)
    except kms.exceptions.NotFoundException:
        key = kms.create_key(Description="Personal data of accounts")["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=alias, TargetKeyId=key)


def open_vault(database: Database, alias: str, secrets: dict[str, Any]) -> Vault:
    """The functions' vault, with a data key. `database` can write `user_service`."""
    keys = DataKeys(DataKeyRepository(database), KmsClient(alias))
    keys.renew(utc_now(), older_than=timedelta(days=90))
    try:
        keys.newest()
    except StoreUnavailable as error:
        raise SystemExit(
            f"KMS cannot decrypt the data keys in this database: run `make reset` to start over ({error})"
        ) from None
    return Vault(keys, lambda: b64decode(secrets["personal-data/lookup"]["key"]))
