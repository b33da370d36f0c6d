"""reCAPTCHA's siteverify (https://developers.google.com/recaptcha/docs/verify, AUTH-003, GW-027)."""

from dataclasses import dataclass

import httpx
from pydantic import BaseModel, Field, ValidationError

from common.domain.shared_errors import CaptchaFailed, ServiceUnavailable
from common.protection.circuit_breaker import Attempt, CircuitOpen
from common.runtime.log import log

TIMEOUT_SECONDS = 2.0  # entering a queue has 10 s for everything

# siteverify's error codes that are our fault, not the token's.
OUR_FAULTS = {"missing-input-secret", "invalid-input-secret", "bad-request"}


class _Verdict(BaseModel):
    success: bool
    error_codes: list[str] = Field(default=[], alias="error-codes")
    hostname: str | None = None
    score: float | None = None  # 0 a bot, 1 a human; v3 only, like the action
    action: str | None = None


@dataclass(frozen=True)
class CaptchaTerms:
    """What a passed captcha must be, where siteverify says it; without `hostnames` any site counts."""

    min_score: float = 0.5
    hostnames: frozenset[str] = frozenset()

    def fault(self, verdict: _Verdict, action: str) -> str | None:
        """Why it does not count, if so: a token of another site or another action could be one that a person solved
        elsewhere for a bot."""
        if verdict.score is not None and verdict.score < self.min_score:
            return "score"
        if verdict.action is not None and verdict.action != action:
            return "action"
        if verdict.hostname is not None and self.hostnames and verdict.hostname not in self.hostnames:
            return "hostname"
        return None


class Captcha:
    def __init__(
        self, client: httpx.Client, url: str, shared_secret: str, attempt: Attempt, terms: CaptchaTerms
    ) -> None:
        self._terms = terms
        self._client = client
        self._url = url
        self._secret = shared_secret
        self._attempt = attempt

    def check(self, token: str, action: str) -> None:
        """Raises CaptchaFailed, also for a token of another `action`, or ServiceUnavailable when Google does
        not answer or rejects our secret: no request passes unchecked.

        siteverify would take the caller's address too; we do not share it with Google.
        """
        try:
            with self._attempt():
                response = self._client.post(self._url, data={"secret": self._secret, "response": token})
                verdict = _Verdict.model_validate_json(response.raise_for_status().content)
        except CircuitOpen as open_circuit:
            raise ServiceUnavailable(retry_after=open_circuit.retry_after) from None
        except (httpx.HTTPError, ValidationError) as error:
            log.warning("no verdict on a captcha", extra={"error": type(error).__name__})
            raise ServiceUnavailable(retry_after=1) from None
        if verdict.success:
            fault = self._terms.fault(verdict, action)
            if fault:
                log.warning("a passed captcha does not count", extra={"fault": fault, "score": verdict.score})
                raise CaptchaFailed()
            return
        if OUR_FAULTS.intersection(verdict.error_codes):
            log.error("siteverify rejects our secret", extra={"codes": verdict.error_codes})
            raise ServiceUnavailable(retry_after=1)
        raise CaptchaFailed()
