"""IAM tokens instead of passwords at RDS Proxy: made for each connection, valid for 15 minutes."""

from datetime import UTC, datetime

import boto3
import botocore.auth
import pytest

from common.domain.shared_errors import StoreUnavailable
from common.stores.database_token import DatabaseTokenSigner

HOST, PORT, USER = "proxy.example.ap-northeast-2.rds.amazonaws.com", 5432, "event_service"


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A function's role, in the environment variables that Lambda sets."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "session/+=",
        "AWS_REGION": "ap-northeast-2",
        "AWS_DEFAULT_REGION": "ap-northeast-2",
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_a_token_equals_the_one_that_boto3_makes(role: pytest.MonkeyPatch) -> None:
    class FixedTime(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 11, 22, 12, 0, tzinfo=tz)

    now = FixedTime.now(UTC)
    if hasattr(botocore.auth, "get_current_datetime"):
        role.setattr(botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: now.replace(tzinfo=None))
    else:
        role.setattr(botocore.auth.datetime, "datetime", FixedTime)
    expected = boto3.Session().client("rds").generate_db_auth_token(HOST, PORT, USER)
    assert DatabaseTokenSigner().token(HOST, PORT, USER) == expected


def test_without_a_role_the_error_says_so(role: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        role.delenv(name)
    role.setenv("AWS_EC2_METADATA_DISABLED", "true")
    role.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    role.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(StoreUnavailable, match="Unable to locate credentials"):
        DatabaseTokenSigner().token(HOST, PORT, USER)
