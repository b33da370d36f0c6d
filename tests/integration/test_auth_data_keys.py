"""Data keys: renewed in time, decrypted by KMS only, and never stored decrypted (AUTH-020)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from common.http.endpoint import endpoint
from common.stores.postgres import Database
from functions.auth.adapters.clients.kms_client import KmsClient
from functions.auth.adapters.data_key_repository import DataKeyRepository
from functions.auth.usecases.data_keys import KEEP_SECONDS, DataKeys

NOW = datetime(2026, 5, 1, 11, tzinfo=UTC)
DAYS = timedelta(days=90)


class FakeKms:
    """A sealed key is the key reversed."""

    def __init__(self) -> None:
        self.generated: list[bytes] = []
        self.decrypted: list[bytes] = []
        self.unavailable = False

    def generate(self) -> tuple[bytes, bytes]:
        key = bytes([len(self.generated) + 1]) * 31 + b"!"
        self.generated.append(key)
        return key, key[::-1]

    def decrypt(self, sealed_key: bytes) -> bytes:
        if self.unavailable:
            raise ConnectionError
        self.decrypted.append(sealed_key[::-1])
        return sealed_key[::-1]


class Environments:
    """Execution environments: each has its connection and memory; all share one KMS and one clock."""

    def __init__(self, database_of: Callable[[str], Database]) -> None:
        self.kms = FakeKms()
        self.elapsed = 0.0
        self._database_of = database_of

    def new(self) -> DataKeys:
        return DataKeys(DataKeyRepository(self._database_of("user_service")), self.kms, lambda: self.elapsed)


@pytest.fixture
def environments(database_of: Callable[[str], Database]) -> Environments:
    return Environments(database_of)


def test_an_old_key_is_renewed_and_the_new_one_is_used_without_a_restart(
    environments: Environments,
) -> None:
    scheduled, warm = environments.new(), environments.new()
    assert scheduled.renew(NOW, DAYS) == NOW
    assert scheduled.renew(NOW + DAYS - timedelta(seconds=1), DAYS) == NOW
    first = warm.newest()
    assert scheduled.renew(NOW + DAYS, DAYS) == NOW + DAYS
    assert scheduled.newest().id > first.id
    assert warm.newest() == first
    environments.elapsed += KEEP_SECONDS
    assert warm.newest() == scheduled.newest()
    assert warm.by_id(first.id) == first
    assert [first.key, warm.newest().key] == environments.kms.generated


def test_a_data_key_is_decrypted_once_per_environment_and_usable_while_kms_is_unavailable(
    environments: Environments,
) -> None:
    keys = environments.new()
    keys.renew(NOW, DAYS)
    newest = keys.newest()
    environments.kms.unavailable = True
    environments.elapsed += KEEP_SECONDS
    assert (keys.newest(), keys.by_id(newest.id)) == (newest, newest)
    assert len(environments.kms.decrypted) == 1
    assert keys.by_id(newest.id + 1) is None
    with pytest.raises(ConnectionError):
        environments.new().newest()


def test_no_data_key_is_stored_decrypted(environments: Environments, superuser: Database) -> None:
    environments.new().renew(NOW, DAYS)
    (row,) = superuser.rows("SELECT sealed_key FROM user_service.data_keys")
    assert row["sealed_key"] == environments.kms.generated[0][::-1]


def status_of_sealing(keys: DataKeys) -> int:
    """The status of a request that seals something."""

    @endpoint
    def handler() -> None:
        keys.newest()

    status: int = handler({"headers": {}}, None)["statusCode"]
    return status


@pytest.fixture
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-2")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


@pytest.mark.usefixtures("_aws")
def test_a_request_gets_503_before_the_first_key_and_while_kms_is_unavailable(
    database_of: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = database_of("user_service")
    with mock_aws():
        key_id = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
        keys = DataKeys(DataKeyRepository(database), KmsClient(key_id))
        assert status_of_sealing(keys) == 503
        keys.renew(NOW, DAYS)
        assert status_of_sealing(keys) == 204
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert status_of_sealing(DataKeys(DataKeyRepository(database), KmsClient(key_id))) == 503
    assert status_of_sealing(keys) == 204


@pytest.mark.usefixtures("_aws")
def test_kms_decrypts_a_data_key_for_its_purpose_only() -> None:
    with mock_aws():
        client = boto3.client("kms")
        key_id = client.create_key()["KeyMetadata"]["KeyId"]
        kms = KmsClient(key_id)
        key, sealed = kms.generate()
        assert (len(key), kms.decrypt(sealed)) == (32, key)
        for context in ({}, {"purpose": "backups"}):
            with pytest.raises(ClientError, match="InvalidCiphertext"):
                client.decrypt(KeyId=key_id, CiphertextBlob=sealed, EncryptionContext=context)
