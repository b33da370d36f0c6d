"""Secrets Manager away: the last value read serves on; with none, it is a store that is away and no bug."""

from collections.abc import Iterator
from typing import Any

import pytest

from common.http.endpoint import endpoint
from common.stores import secrets


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
    secrets._secrets_manager.cache_clear()
    monkeypatch.setattr(secrets, "_kept", {"known": (0.0, {"password": "old"})})
    yield
    secrets._secrets_manager.cache_clear()


@pytest.mark.usefixtures("unreachable")
def test_the_last_value_read_serves_on_and_without_one_the_answer_is_503() -> None:
    assert secrets.secret("known") == {"password": "old"}

    @endpoint
    def needs_a_secret() -> None:
        secrets.secret("never-read")

    answer: dict[str, Any] = needs_a_secret({"headers": {}}, None)
    assert answer["statusCode"] == 503


def test_a_snapshot_is_taken_with_the_client_made_and_no_secret_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """SnapStart: whatever a snapshot holds, every restored copy has."""
    from snapshot_restore_py import get_before_snapshot

    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-2")
    monkeypatch.setattr(secrets, "_kept", {})
    secrets._secrets_manager.cache_clear()
    for hook, arguments, named in list(get_before_snapshot()):
        hook(*arguments, **named)
    assert secrets._secrets_manager.cache_info().currsize == 1
    assert secrets._kept == {}
    secrets._secrets_manager.cache_clear()
