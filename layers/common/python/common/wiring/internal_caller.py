"""Calls from this function to other services."""

from functools import cache
from typing import Any

from common.contracts.internal_call import ANSWER_SECONDS, CONNECT_SECONDS, InternalCaller
from common.runtime.settings import Settings
from common.wiring.secret_cache import secret


class CallerSettings(Settings):
    service_name: str


@cache
def lambda_client(attempts: int) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "lambda",
        config=Config(
            connect_timeout=CONNECT_SECONDS, read_timeout=ANSWER_SECONDS, retries={"total_max_attempts": attempts}
        ),
    )


@cache
def internal_caller() -> InternalCaller:
    service = CallerSettings.from_environment().service_name
    return InternalCaller(service, lambda_client, lambda: str(secret("service-keys")[service][0]))
