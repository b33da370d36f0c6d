"""template.yaml is complete: what it names exists, and every handler and sample event is named."""

import json

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from tools.generate.completeness import function_problems, undeployed_handlers, unused_samples
from tools.handlers import ROOT, DeployedFunction, deployed_functions

FUNCTIONS = deployed_functions()


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_function_has_its_file_and_its_sample_event(function: DeployedFunction) -> None:
    if missing := list(function_problems(function)):
        pytest.fail("\n".join(missing), pytrace=False)
    assert isinstance(json.loads(function.sample.read_text(encoding="utf-8")), dict)


def test_every_sample_event_belongs_to_a_function() -> None:
    assert list(unused_samples()) == []


def test_every_file_with_a_handler_is_deployed() -> None:
    assert list(undeployed_handlers()) == []


def test_consumers_report_failed_messages_and_send_exhausted_ones_to_a_queue() -> None:
    """Without ReportBatchItemFailures Lambda reads a consumer's response as success, and failed messages are lost."""
    resources = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Resources"]
    streams = [
        event["Properties"]
        for resource in resources.values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "MSK"
    ]
    assert len(streams) == 4
    assert all(stream["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for stream in streams)
    assert all(stream["DestinationConfig"]["OnFailure"]["Type"] == "SQS" for stream in streams)


def test_a_scheduled_function_runs_once_at_a_time_unless_it_is_safe_in_parallel() -> None:
    # By one script, by locks, by row locks.
    safe_in_parallel = {
        "admitter.handlers.admit_users",
        "outbox_relay.handlers.publish_outbox",
        "reservations.handlers.expire_holds",
    }
    resources = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Resources"]
    limits = {
        properties["Handler"].removeprefix("functions.").removesuffix(".handler"): properties.get(
            "ReservedConcurrentExecutions"
        )
        for properties in (resource.get("Properties", {}) for resource in resources.values())
        if any(event["Type"] == "ScheduleV2" for event in properties.get("Events", {}).values())
    }
    assert {name for name, concurrency in limits.items() if concurrency != 1} == safe_in_parallel
    assert "payments.handlers.settle_payments" in limits


def test_no_function_that_signs_tokens_is_restored_from_a_snapshot() -> None:
    """Two ES256 signatures with one random number reveal the key, and copies of a snapshot may draw the same."""
    resources = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Resources"]
    functions = [each for each in resources.values() if each["Type"] == "AWS::Serverless::Function"]
    signing = [function for function in functions if "jwt/signing" in json.dumps(function)]
    assert signing
    assert any("SnapStart" in function["Properties"] for function in functions)
    assert not [function for function in signing if "SnapStart" in function["Properties"]]


@pytest.mark.parametrize(
    "kind",
    [
        "INTEGRATION_FAILURE",  # Lambda throttled a function; a 500 by default
        "AUTHORIZER_CONFIGURATION_ERROR",  # Lambda throttled the authorizer
        "AUTHORIZER_FAILURE",  # the authorizer was too slow
        "DEFAULT_5XX",  # a function was too slow
    ],
)
def test_a_request_that_fails_under_load_gets_503_with_retry_after(kind: str) -> None:
    api = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Resources"]["Api"]["Properties"]
    throttled = api["GatewayResponses"][kind]
    assert throttled["StatusCode"] == 503
    assert throttled["ResponseParameters"]["Headers"]["Retry-After"] == "'1'"
    assert '"SERVICE_UNAVAILABLE"' in throttled["ResponseTemplates"]["application/json"]
