"""PortOne's identity verification."""

from functools import cache

import httpx
from pydantic import ValidationError

from common.domain.clock import utc_now
from common.protection.circuit_breaker import CircuitBreaker
from common.runtime.settings import Settings
from common.wiring.redis_client import redis_client
from common.wiring.secret_cache import secret
from functions.auth.adapters.clients.identity_verification_client import TIMEOUT_SECONDS, IdentityVerificationClient
from functions.auth.domain.verified_person import VerificationTerms


class IdentityVerificationSettings(Settings):
    portone_url: str
    identity_test_channel: bool = False  # only on a stage for tests


@cache
def identity_verifications() -> IdentityVerificationClient:
    circuit = CircuitBreaker("identity", redis_client(), utc_now, failures=(httpx.HTTPError, ValidationError))
    settings = IdentityVerificationSettings.from_environment()
    client = httpx.Client(timeout=TIMEOUT_SECONDS)
    terms = VerificationTerms(test_channel=settings.identity_test_channel)
    return IdentityVerificationClient(
        client, settings.portone_url, secret("portone")["apiSecret"], circuit.attempt, utc_now, terms
    )
