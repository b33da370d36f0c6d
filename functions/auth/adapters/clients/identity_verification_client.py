"""PortOne's identity verification (PortOne V2 REST API; AUTH-004)."""

from functools import cache
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from common.domain.clock import utc_now
from common.domain.model import Model, Text
from common.domain.shared_errors import ServiceUnavailable
from common.protection.circuit_breaker import Circuit, CircuitOpen, Guard
from common.runtime.log import log
from common.runtime.settings import Settings
from common.stores import redis
from common.stores.secrets import secret
from functions.auth.usecases.registration import Person

TIMEOUT_SECONDS = 5.0  # half of what payments grants: nothing is lost by asking again


class IdentitySettings(Settings):
    portone_url: str


class _Customer(Model):
    name: Text
    phone_number: Text | None = None
    ci: Text | None = None


class _Verification(Model):
    status: str
    verified_customer: _Customer | None = None


class PortOneIdentities:
    def __init__(self, client: httpx.Client, url: str, api_secret: str, guard: Guard) -> None:
        self._client = client
        self._guard = guard
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"PortOne {api_secret}"}

    def person(self, verification_id: str) -> Person | None:
        """Whom this verification verified; None while it is READY, after it FAILED, and for one there is none of.

        Raises ServiceUnavailable when PortOne gives no answer, or one about us.
        """
        # Dots too: a client makes of `/identity-verifications/..` another path.
        segment = quote(verification_id, safe="").replace(".", "%2E")
        try:
            with self._guard():
                response = self._client.get(f"{self._url}/identity-verifications/{segment}", headers=self._headers)
                if response.status_code in (400, 404):  # the id is malformed, or nobody's
                    return None
                found = _Verification.model_validate_json(response.raise_for_status().content)
        except CircuitOpen as unavailable:
            raise ServiceUnavailable(retry_after=unavailable.retry_after) from None
        except (httpx.HTTPError, ValidationError) as error:
            log.warning("no answer on an identity verification", extra={"error": type(error).__name__})
            raise ServiceUnavailable(retry_after=1) from None
        customer = found.verified_customer
        if found.status != "VERIFIED" or customer is None:
            return None
        return Person(customer.name, customer.phone_number, customer.ci)


@cache
def identities() -> PortOneIdentities:
    circuit = Circuit("identity", redis.client(), utc_now, failures=(httpx.HTTPError, ValidationError))
    url = IdentitySettings.from_environment().portone_url
    return PortOneIdentities(httpx.Client(timeout=TIMEOUT_SECONDS), url, secret("portone")["apiSecret"], circuit.guard)
