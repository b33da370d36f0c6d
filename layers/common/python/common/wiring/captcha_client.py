"""The client of reCAPTCHA."""

from functools import cache

import httpx
from pydantic import ValidationError

from common.domain.clock import utc_now
from common.protection.captcha import TIMEOUT_SECONDS, Captcha, CaptchaTerms
from common.protection.circuit_breaker import CircuitBreaker
from common.runtime.settings import Settings
from common.wiring.redis_client import redis_client
from common.wiring.secret_cache import secret


class CaptchaSettings(Settings):
    captcha_url: str
    captcha_min_score: float = 0.5
    captcha_hostnames: str = ""  # separated by commas

    def terms(self) -> CaptchaTerms:
        return CaptchaTerms(self.captcha_min_score, frozenset(filter(None, self.captcha_hostnames.split(","))))


@cache
def captcha_client() -> Captcha:
    settings = CaptchaSettings.from_environment()
    breaker = CircuitBreaker("captcha", redis_client(), utc_now, failures=(httpx.HTTPError, ValidationError))
    client = httpx.Client(timeout=TIMEOUT_SECONDS)
    return Captcha(client, settings.captcha_url, secret("captcha")["secret"], breaker.attempt, settings.terms())
