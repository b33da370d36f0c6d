"""The client of reCAPTCHA."""

from functools import cache

import httpx
from pydantic import ValidationError

from common.domain.clock import utc_now
from common.protection.captcha import TIMEOUT_SECONDS, Captcha
from common.protection.circuit_breaker import CircuitBreaker
from common.runtime.settings import Settings
from common.wiring.redis_client import redis_client
from common.wiring.secret_cache import secret


class CaptchaSettings(Settings):
    captcha_url: str


@cache
def captcha_client() -> Captcha:
    url = CaptchaSettings.from_environment().captcha_url
    breaker = CircuitBreaker("captcha", redis_client(), utc_now, failures=(httpx.HTTPError, ValidationError))
    return Captcha(httpx.Client(timeout=TIMEOUT_SECONDS), url, secret("captcha")["secret"], breaker.attempt)
