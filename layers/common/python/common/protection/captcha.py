"""reCAPTCHA's siteverify (https://developers.google.com/recaptcha/docs/verify, AUTH-003, GW-027)."""

from functools import cache

import httpx
from pydantic import BaseModel, Field, ValidationError

from common.domain.clock import utc_now
from common.domain.shared_errors import CaptchaFailed, ServiceUnavailable
from common.protection.circuit_breaker import Circuit, CircuitOpen, Guard
from common.runtime.log import log
from common.runtime.settings import Settings
from common.stores import redis
from common.stores.secrets import secret

TIMEOUT_SECONDS = 2.0  # a place in line has 10 s for everything

# What is wrong with us rather than with the token.
OURS = {"missing-input-secret", "invalid-input-secret", "bad-request"}


class CaptchaSettings(Settings):
    captcha_url: str


class _Verdict(BaseModel):
    success: bool
    error_codes: list[str] = Field(default=[], alias="error-codes")


class Captcha:
    def __init__(self, client: httpx.Client, url: str, shared_secret: str, guard: Guard) -> None:
        self._client = client
        self._url = url
        self._secret = shared_secret
        self._guard = guard

    def check(self, token: str) -> None:
        """Raises CaptchaFailed; ServiceUnavailable when Google is away or does not know us: nobody passes unseen.

        The caller's address, which siteverify would take, is not Google's to know.
        """
        try:
            with self._guard():
                response = self._client.post(self._url, data={"secret": self._secret, "response": token})
                verdict = _Verdict.model_validate_json(response.raise_for_status().content)
        except CircuitOpen as unavailable:
            raise ServiceUnavailable(retry_after=unavailable.retry_after) from None
        except (httpx.HTTPError, ValidationError) as error:
            log.warning("no verdict on a captcha", extra={"error": type(error).__name__})
            raise ServiceUnavailable(retry_after=1) from None
        if verdict.success:
            return
        if OURS.intersection(verdict.error_codes):
            log.error("siteverify refuses us", extra={"codes": verdict.error_codes})
            raise ServiceUnavailable(retry_after=1)
        raise CaptchaFailed()


@cache
def captcha() -> Captcha:
    url = CaptchaSettings.from_environment().captcha_url
    circuit = Circuit("captcha", redis.client(), utc_now, failures=(httpx.HTTPError, ValidationError))
    return Captcha(httpx.Client(timeout=TIMEOUT_SECONDS), url, secret("captcha")["secret"], circuit.guard)
