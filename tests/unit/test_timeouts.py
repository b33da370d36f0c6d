"""No route is cut off while it waits for somebody: whom a function asks, and for how long at most, fits into its
timeout, and that into the gateway's (GW-008, GW-009)."""

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

# Whoever is away costs one timeout a try: it either cannot be reached or does not answer. Not counted is what is
# answered within milliseconds or ends the request (Postgres, Redis), what a container asks once in its life (KMS), and
# what it asks every five minutes (Secrets Manager, below).
_TRY = max(internal.CONNECT_SECONDS, internal.ANSWER_SECONDS)
READ, WRITE = 2 * _TRY + 1, _TRY  # boto3 pauses for up to 1 s before the second try
MAIL = 2 * 3 + 1  # functions/auth/adapters/clients/mailer.py

# What a function is told in its environment is whom it asks; here is how long that may take in one request.
ASKED = {
    "CAPTCHA_URL": captcha.TIMEOUT_SECONDS,
    "SALE_TERMS_FUNCTION": READ,
    "SEAT_CATALOGUE_FUNCTION": READ,
    "COUNT_RESERVATIONS_FUNCTION": READ,
    "COUNT_REFUNDS_FUNCTION": READ,
    "PAYABLE_FUNCTION": READ,
    "GOOGLE_URL": 3 * oauth_providers.TIMEOUT_SECONDS,
    "MAIL_SENDER": MAIL,
    "SOLD_SEATS_FUNCTION": 0.0,  # asked by the seat map alone, below
    "PORTONE_URL": 0.0,  # differs by function, below
    "KAKAO_AUTH_URL": 0.0,  # one provider a request, and Google is asked most
    "KAKAO_API_URL": 0.0,
    "NAVER_AUTH_URL": 0.0,
    "NAVER_API_URL": 0.0,
}
BESIDES = {
    # A captcha of its own, and another of the suspected.
    "AuthLoginFunction": captcha.TIMEOUT_SECONDS,
    "AuthRegisterFunction": captcha.TIMEOUT_SECONDS + identity_verification_client.TIMEOUT_SECONDS,
    "AuthPasswordResetFunction": identity_verification_client.TIMEOUT_SECONDS,
    "AuthOauthStartFunction": oauth_providers.TIMEOUT_SECONDS - 3 * oauth_providers.TIMEOUT_SECONDS,  # discovery only
    "ReservationsSeatMapFunction": READ,
    "PaymentsCreateFunction": portone.TIMEOUT_SECONDS,
    # Confirm lengthens the hold, which is no read, confirms and looks. Giving money back takes longer: cut off there,
    # `settle` goes on.
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


def waits(name: str, properties: dict[str, Any]) -> float:
    environment = properties.get("Environment", {}).get("Variables", {})
    outside = {key for key in environment if key.endswith(("_FUNCTION", "_URL", "_SENDER"))}
    unknown = outside - ASKED.keys()
    assert not unknown, f"{name} asks somebody this test knows nothing of: {unknown}"
    return sum(ASKED[key] for key in outside) + BESIDES.get(name, 0)


@pytest.mark.parametrize("name", api_functions())
def test_a_routes_waits_fit_into_its_timeout_and_that_into_the_gateways(name: str) -> None:
    properties = api_functions()[name]
    timeout = properties.get("Timeout", DEFAULT_SECONDS)
    paths = [event["Properties"]["Path"] for event in properties["Events"].values() if event["Type"] == "Api"]

    assert waits(name, properties) < timeout
    for path in paths:
        assert timeout <= QUEUE_SECONDS if path.startswith("/queue/") else timeout < GATEWAY_SECONDS


def test_a_secrets_manager_that_hangs_leaves_time_for_the_secrets_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request reads two at the most at one time: a service's key and one of its function's own."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-2")
    secrets_manager.cache_clear()
    config = secrets_manager().meta.config
    a_try = max(config.connect_timeout, config.read_timeout)
    a_secret = config.retries["total_max_attempts"] * (a_try + 1)  # boto3 pauses for up to 1 s between
    timeouts = [properties.get("Timeout", DEFAULT_SECONDS) for properties in api_functions().values()]
    assert 2 * a_secret < min(timeouts)
    secrets_manager.cache_clear()


def test_only_functions_there_are_need_more_than_their_environment_tells() -> None:
    assert BESIDES.keys() <= api_functions().keys()
