"""The rotation of signing keys."""

from datetime import timedelta
from functools import cache

import boto3
from botocore.config import Config

from common.domain.clock import utc_now
from common.runtime.settings import Settings
from common.stores.secrets import KEEP_SECONDS
from common.wiring.secret_cache import SecretSettings
from functions.auth.adapters.signing_key_pair import SigningKeyPairs
from functions.auth.domain.signing_keys import JWKS_MAX_AGE_SECONDS
from functions.auth.usecases.signing_key_rotation import SigningKeyRotation


class RotationSettings(Settings):
    access_token_seconds: int = 3600


@cache
def signing_key_rotation(*, leaked: bool = False) -> SigningKeyRotation:
    # The last token is signed by an execution environment that read the secret just before the switch; three times that
    # for calls in flight. A new key is known when execution environments have read it and cached JWKS have expired.
    verify_for = timedelta(seconds=RotationSettings.from_environment().access_token_seconds + 3 * KEEP_SECONDS)
    known_after = timedelta(seconds=KEEP_SECONDS + JWKS_MAX_AGE_SECONDS)
    if leaked:
        verify_for = known_after = timedelta(0)
    manager = boto3.client("secretsmanager", config=Config(connect_timeout=2, read_timeout=5))
    prefix = SecretSettings.from_environment().secrets_prefix
    return SigningKeyRotation(manager, prefix, SigningKeyPairs(), utc_now, verify_for, known_after)
