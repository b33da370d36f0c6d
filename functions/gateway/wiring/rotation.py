"""What rotates the services' keys."""

from functools import cache
from uuid import uuid4

from common.domain.clock import utc_now
from common.wiring.secret_cache import SecretSettings
from functions.gateway.usecases.service_key_rotation import ServiceKeyRotation


@cache
def service_key_rotation() -> ServiceKeyRotation:
    import boto3
    from botocore.config import Config

    manager = boto3.client("secretsmanager", config=Config(connect_timeout=2, read_timeout=5))
    return ServiceKeyRotation(manager, SecretSettings.from_environment().secrets_prefix, utc_now, lambda: str(uuid4()))
