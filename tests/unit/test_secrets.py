"""While Secrets Manager is unavailable, the last value read is used; without one, `StoreUnavailable` is raised."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from common.domain.shared_errors import StoreUnavailable
from common.http.endpoint import endpoint
from common.stores.secrets import KEEP_SECONDS, SecretCache
from common.wiring import secret_cache
from common.wiring.secret_cache import secret, secrets_manager
from tests.support.fresh_wiring import forget_wiring


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "ap-northeast-2",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SECRETS_PREFIX": "ticketing/",
    }.items():
        monkeypatch.setenv(name, value)
    forget_wiring()
    yield
    forget_wiring()


class Manager:
    """Secrets Manager, which answers once."""

    def __init__(self) -> None:
        self.answers = [{"SecretString": '{"password": "old"}'}]

    def get_secret_value(self, **_: str) -> dict[str, str]:
        try:
            return self.answers.pop()
        except IndexError:
            raise EndpointConnectionError(endpoint_url="https://secretsmanager") from None


def test_the_last_value_read_is_used_while_secrets_manager_is_unavailable() -> None:
    now, manager = [0.0], Manager()
    cache = SecretCache(lambda: manager, "ticketing/", lambda: now[0])
    assert cache.read("known") == {"password": "old"}
    now[0] += KEEP_SECONDS + 1
    assert cache.read("known") == {"password": "old"}
    with pytest.raises(StoreUnavailable):
        cache.read("never-read")


@pytest.mark.usefixtures("unreachable")
def test_without_a_value_the_answer_is_503() -> None:

    @endpoint
    def needs_a_secret() -> None:
        secret("never-read")

    answer: dict[str, Any] = needs_a_secret({"headers": {}}, None)
    assert answer["statusCode"] == 503


def test_a_snapshot_has_the_client_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """SnapStart: every restored copy has what the snapshot holds."""
    from snapshot_restore_py import get_before_snapshot

    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-2")
    forget_wiring()
    for hook, arguments, named in list(get_before_snapshot()):
        hook(*arguments, **named)
    assert secrets_manager.cache_info().currsize == 1
    assert secret_cache._secret_cache.cache_info().currsize == 0
    forget_wiring()
