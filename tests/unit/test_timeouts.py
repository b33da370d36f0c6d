"""No route times out while it waits for others: the longest wait of a function fits into its timeout, and that into the
gateway's (GW-008, GW-009)."""

from functools import cache
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from common.contracts import internal_call as internal
from common.protection import captcha
from common.wiring.secret_cache import secrets_manager
from functions.auth.adapters.clients import identity_verification_client, oauth_providers
from functions.payments.adapters.clients import portone
from tools.openapi.routes import TEMPLATE

GATEWAY_SECONDS, QUEUE_SECONDS = 29, 10
DEFAULT_SECONDS = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Globals"]["Function"]["Timeout"]

# An unavailable party costs one timeout per attempt: it either cannot be reached or does not answer. Not counted are
# calls that are answered within milliseconds or end the request (Postgres, Redis), calls that an execution environment
# makes once (KMS), and those it makes every five minutes (Secrets Manager, below).
_ATTEMPT = max(internal.CONNECT_SECONDS, internal.ANSWER_SECONDS)
READ, WRITE = 2 * _ATTEMPT + 1, _ATTEMPT  # boto3 pauses for up to 1 s before the second attempt
MAIL = 2 * 3 + 1  # functions/auth/adapters/clients/mailer.py

# The variables in which a function's environment names what it calls, and how long that may take in one request.
WAITS = {
    "CAPTCHA_URL": captcha.TIMEOUT_SECONDS,
    "SALE_TERMS_FUNCTION": READ,
    "SEAT_CATALOGUE_FUNCTION": READ,
    "COUNT_RESERVATIONS_FUNCTION": READ,
    "COUNT_REFUNDS_FUNCTION": READ,
    "CLOSE_ACCOUNT_FUNCTION": WRITE,
    "PAYABLE_FUNCTION": READ,
    "FIND_PAYMENTS_FUNCTION": READ,
    "GOOGLE_URL": 3 * oauth_providers.TIMEOUT_SECONDS,
    "MAIL_SENDER": MAIL,
    "SOLD_SEATS_FUNCTION": 0.0,  # called by the seat map only, below
    "PORTONE_URL": 0.0,  # differs by function, below
    "KAKAO_AUTH_URL": 0.0,  # one provider a request, and Google takes the longest
    "KAKAO_API_URL": 0.0,
    "NAVER_AUTH_URL": 0.0,
    "NAVER_API_URL": 0.0,
}
FURTHER_WAITS = {
    # Its own captcha, and another one for suspected bots.
    "AuthLoginFunction": captcha.TIMEOUT_SECONDS,
    "AuthRegisterFunction": captcha.TIMEOUT_SECONDS + identity_verification_client.TIMEOUT_SECONDS,
    "AuthEmailCorrectionFunction": identity_verification_client.TIMEOUT_SECONDS,
    "AuthPasswordResetFunction": identity_verification_client.TIMEOUT_SECONDS,
    "AuthOauthStartFunction": oauth_providers.TIMEOUT_SECONDS - 3 * oauth_providers.TIMEOUT_SECONDS,  # discovery only
    "ReservationsSeatMapFunction": READ,
    "PaymentsCreateFunction": portone.TIMEOUT_SECONDS,
    # Confirm extends the hold (a write), confirms the payment and reads it. A reversal takes longer: if it is cut off,
    # `settle_payments` continues.
    "PaymentsConfirmFunction": WRITE - READ + 2 * portone.TIMEOUT_SECONDS,
    "PaymentsWebhookFunction": portone.TIMEOUT_SECONDS,
}


@cache
def api_functions() -> dict[str, Any]:
    resources = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Resources"]
    return {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
        and any(event["Type"] == "Api" for event in resource["Properties"].get("Events", {}).values())
    }


def longest_wait(name: str, properties: dict[str, Any]) -> float:
    environment = properties.get("Environment", {}).get("Variables", {})
    outside = {key for key in environment if key.endswith(("_FUNCTION", "_URL", "_SENDER"))}
    unknown = outside - WAITS.keys()
    assert not unknown, f"{name} calls what this test does not know: {unknown}"
    return sum(WAITS[key] for key in outside) + FURTHER_WAITS.get(name, 0)


@pytest.mark.parametrize("name", api_functions())
def test_a_routes_waits_fit_into_its_timeout_and_that_into_the_gateways(name: str) -> None:
    properties = api_functions()[name]
    timeout = properties.get("Timeout", DEFAULT_SECONDS)
    paths = [event["Properties"]["Path"] for event in properties["Events"].values() if event["Type"] == "Api"]

    assert longest_wait(name, properties) < timeout
    for path in paths:
        assert timeout <= QUEUE_SECONDS if path.startswith("/queue/") else timeout < GATEWAY_SECONDS


def test_a_hanging_secrets_manager_leaves_time_to_use_cached_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request reads at most two secrets at one time: a service's key and one of its function's own."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-2")
    secrets_manager.cache_clear()
    config = secrets_manager().meta.config
    an_attempt = max(config.connect_timeout, config.read_timeout)
    a_secret = config.retries["total_max_attempts"] * (an_attempt + 1)  # boto3 pauses for up to 1 s between
    timeouts = [properties.get("Timeout", DEFAULT_SECONDS) for properties in api_functions().values()]
    assert 2 * a_secret < min(timeouts)
    secrets_manager.cache_clear()


def test_every_function_with_a_further_wait_exists() -> None:
    assert FURTHER_WAITS.keys() <= api_functions().keys()
