"""PortOne's identity verification (PortOne V2 REST API; AUTH-004)."""

from datetime import date
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from common.domain.clock import Clock
from common.domain.model import Model, Moment, Text
from common.domain.shared_errors import ServiceUnavailable
from common.protection.circuit_breaker import Attempt, CircuitOpen
from common.runtime.log import log
from functions.auth.domain.verified_person import VerificationTerms, VerifiedPerson

TIMEOUT_SECONDS = 5.0  # half of the timeout for payments: this request can be repeated safely


class _Customer(Model):
    name: Text
    phone_number: Text | None = None
    ci: Text | None = None
    birth_date: date | None = None


class _Channel(Model):
    type: str


class _Verification(Model):
    status: str
    channel: _Channel | None = None
    verified_at: Moment | None = None
    verified_customer: _Customer | None = None


class IdentityVerificationClient:
    def __init__(
        self,
        client: httpx.Client,
        url: str,
        api_secret: str,
        guard: Attempt,
        clock: Clock,
        terms: VerificationTerms,
    ) -> None:
        self._client = client
        self._clock = clock
        self._terms = terms
        self._guard = guard
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"PortOne {api_secret}"}

    def person(self, verification_id: str) -> VerifiedPerson | None:
        """The verified person. None if the verification is READY or FAILED, does not exist, or does not count.

        Raises ServiceUnavailable if PortOne does not answer or rejects our credentials.
        """
        # Dots too: a client turns `/identity-verifications/..` into another path.
        segment = quote(verification_id, safe="").replace(".", "%2E")
        try:
            with self._guard():
                response = self._client.get(f"{self._url}/identity-verifications/{segment}", headers=self._headers)
                if response.status_code in (400, 404):  # the id is malformed or unknown
                    return None
                found = _Verification.model_validate_json(response.raise_for_status().content)
        except CircuitOpen as unavailable:
            raise ServiceUnavailable(retry_after=unavailable.retry_after) from None
        except (httpx.HTTPError, ValidationError) as error:
            log.warning("no answer about an identity verification", extra={"error": type(error).__name__})
            raise ServiceUnavailable(retry_after=1) from None
        customer = found.verified_customer
        if found.status != "VERIFIED" or customer is None:
            return None
        now = self._clock()
        person = VerifiedPerson(customer.name, customer.phone_number, customer.ci, customer.birth_date)
        channel = found.channel.type if found.channel else None
        fault = self._terms.fault(channel, found.verified_at, person.age_at(now), now)
        if fault:
            log.warning("an identity verification does not count", extra={"fault": fault, "channel": channel})
            return None
        return person
