"""The secrets of a new stack on AWS: everything the functions read, made once, never overwritten."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.seed.first_secrets import first_secrets
from local.seed.secrets import make

OUTSIDE = {name: value for name, value in make().items() if name.startswith(("portone", "captcha", "oauth/"))}


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="ap-northeast-2")


def kept(manager: Any) -> dict[str, Any]:
    names = [each["Name"] for each in manager.list_secrets(MaxResults=100)["SecretList"]]
    return {name: json.loads(manager.get_secret_value(SecretId=name)["SecretString"]) for name in names}


def test_a_new_stack_has_every_secret_the_local_one_has(manager: Any) -> None:
    first_secrets(manager, "t/", OUTSIDE, with_passwords=True)
    assert set(kept(manager)) == {f"t/{name}" for name in {*make(), "ticket/verification"}}


def test_a_second_run_changes_nothing_and_adds_what_was_missing(manager: Any) -> None:
    first_secrets(manager, "t/", {}, with_passwords=False)
    before = kept(manager)
    assert first_secrets(manager, "t/", OUTSIDE, with_passwords=False) == list(OUTSIDE)
    assert {name: value for name, value in kept(manager).items() if name in before} == before
    assert before["t/ticket/verification"]["keys"][0]["kid"] == before["t/ticket"]["keys"][0]["kid"]
