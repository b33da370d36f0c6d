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


class IdentityVerificationSettings(Settings):
    portone_url: str


@cache
def identity_verifications() -> IdentityVerificationClient:
    circuit = CircuitBreaker("identity", redis_client(), utc_now, failures=(httpx.HTTPError, ValidationError))
    url = IdentityVerificationSettings.from_environment().portone_url
    client = httpx.Client(timeout=TIMEOUT_SECONDS)
    return IdentityVerificationClient(client, url, secret("portone")["apiSecret"], circuit.attempt)
