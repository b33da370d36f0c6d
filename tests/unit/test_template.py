"""template.yaml is the map: what it names exists, and what exists is on it."""

import json
import re
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
HANDLERS = re.findall(
    r"Handler: functions\.(\w+)\.(\w+)\.handler", (ROOT / "template.yaml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(("service", "module"), HANDLERS)
def test_a_function_has_its_file_and_its_sample_event(service: str, module: str) -> None:
    source = (ROOT / "functions" / service / f"{module}.py").read_text(encoding="utf-8")
    assert re.search(r"^(def handler\(|handler = )", source, re.MULTILINE)
    sample = json.loads((ROOT / "events" / f"{service}_{module}.json").read_text(encoding="utf-8"))
    assert isinstance(sample, dict)


def test_no_sample_event_is_of_a_function_there_is_none_of() -> None:
    samples = {path.stem for path in (ROOT / "events").glob("*.json")}
    assert samples == {f"{service}_{module}" for service, module in HANDLERS}


def test_every_file_with_a_handler_is_deployed() -> None:
    handlers = {
        (path.parent.name, path.stem)
        for path in (ROOT / "functions").glob("*/*.py")
        if re.search(r"^(def handler\(|handler = )", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert handlers == set(HANDLERS)


def test_a_consumer_says_which_messages_failed_and_what_is_given_up_goes_to_a_queue() -> None:
    """Without ReportBatchItemFailures Lambda takes a consumer's answer for success, and the failed ones are lost."""
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


def test_what_runs_by_the_clock_runs_once_at_a_time_unless_it_is_made_for_two() -> None:
    for_two = {
        "admitter.admit",
        "outbox_relay.publish",
        "reservations.handlers.expire_holds",
    }  # by one script, by locks, by row locks
    resources = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Resources"]
    alone = {
        properties["Handler"].removeprefix("functions.").removesuffix(".handler"): properties.get(
            "ReservedConcurrentExecutions"
        )
        for properties in (resource.get("Properties", {}) for resource in resources.values())
        if any(event["Type"] == "ScheduleV2" for event in properties.get("Events", {}).values())
    }
    assert {name for name, concurrency in alone.items() if concurrency != 1} == for_two
    assert "payments.settle" in alone


def test_no_function_that_signs_tokens_is_restored_from_a_snapshot() -> None:
    """Two ES256 signatures made of one random number give the key away, and copies of a snapshot may share theirs."""
    resources = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Resources"]
    functions = [each for each in resources.values() if each["Type"] == "AWS::Serverless::Function"]
    signing = [function for function in functions if "jwt/signing" in json.dumps(function)]
    assert signing
    assert any("SnapStart" in function["Properties"] for function in functions)
    assert not [function for function in signing if "SnapStart" in function["Properties"]]


@pytest.mark.parametrize(
    "kind",
    [
        "INTEGRATION_FAILURE",  # in the rush Lambda may run no more of one function; by default a 500
        "AUTHORIZER_CONFIGURATION_ERROR",  # or no more of the authorizer
        "AUTHORIZER_FAILURE",  # the authorizer was too slow
        "DEFAULT_5XX",  # a function was
    ],
)
def test_what_load_does_to_a_request_is_a_503_that_says_when_to_come_back(kind: str) -> None:
    api = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Resources"]["Api"]["Properties"]
    throttled = api["GatewayResponses"][kind]
    assert throttled["StatusCode"] == 503
    assert throttled["ResponseParameters"]["Headers"]["Retry-After"] == "'1'"
    assert '"SERVICE_UNAVAILABLE"' in throttled["ResponseTemplates"]["application/json"]
