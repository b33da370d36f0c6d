"""Accounts with their personal data, and the keys that seal them."""

from functools import cache

from common.runtime.settings import Settings
from common.wiring.database import database
from functions.auth.adapters.account_repository import AccountRepository
from functions.auth.adapters.clients.kms_client import KmsClient
from functions.auth.adapters.data_key_repository import DataKeyRepository
from functions.auth.adapters.vault import Vault
from functions.auth.usecases.data_keys import DataKeys
from functions.auth.wiring.lookup_hash import lookup_key


class VaultSettings(Settings):
    personal_data_kms_key: str  # id, ARN or alias


@cache
def data_keys() -> DataKeys:
    kms = KmsClient(VaultSettings.from_environment().personal_data_kms_key)
    return DataKeys(DataKeyRepository(database()), kms)


@cache
def vault() -> Vault:
    return Vault(data_keys(), lookup_key)


@cache
def accounts() -> AccountRepository:
    return AccountRepository(database(), vault())
