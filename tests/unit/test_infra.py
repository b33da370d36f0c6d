"""template.yaml and the nested stacks of infra/ fit together in every way they are deployed."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from common.protection.rate_class import BURST, LOGIN, OTHERS, READS, RateClass
from emulator.circular_references import check_no_cycles
from emulator.template import load
from emulator.translate import translate
from infra.deploy import with_preflight_origin
from tools.openapi.routes import ROOT

TEXT = (ROOT / "template.yaml").read_text(encoding="utf-8")
TEMPLATE = yaml_parse(TEXT)
NESTED = {
    name: resource["Properties"]
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::CloudFormation::Stack"
}
STAGES = ("dev", "staging", "prod")


@cache
def of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml_parse((ROOT / NESTED[name]["TemplateURL"]).read_text(encoding="utf-8"))
    return found


def overrides(stage: str) -> dict[str, str]:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    return dict(each.split("=", 1) for each in config[stage]["deploy"]["parameters"]["parameter_overrides"])


def test_every_template_of_infra_is_a_stack_of_the_application() -> None:
    made = {Path(properties["TemplateURL"]).name for properties in NESTED.values()}
    assert made == {path.name for path in (ROOT / "infra").glob("*.yaml")}


@pytest.mark.parametrize("name", NESTED)
def test_a_nested_stack_gets_the_parameters_that_it_declares_and_no_others(name: str) -> None:
    declared = of(name)["Parameters"]
    passed = set(NESTED[name].get("Parameters", {}))
    assert passed <= set(declared)
    assert {each for each, body in declared.items() if "Default" not in body} <= passed


def test_every_output_that_is_read_exists() -> None:
    read = set(re.findall(r"(\w+)\.Outputs\.(\w+)", TEXT))
    assert read
    assert {(name, output) for name, output in read if output not in of(name)["Outputs"]} == set()


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_lowers_the_cost_of_bcrypt(stage: str) -> None:
    """The tests' stacks do; OWASP recommends 10 or more."""
    assert int(overrides(stage).get("BcryptCost", TEMPLATE["Parameters"]["BcryptCost"]["Default"])) >= 10


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_sets_existing_parameters_to_allowed_values(stage: str) -> None:
    for name, value in overrides(stage).items():
        assert value in [str(each) for each in TEMPLATE["Parameters"][name].get("AllowedValues", [value])], name
    assert overrides(stage)["Stage"] == stage


@pytest.mark.parametrize("stage", STAGES)
def test_a_stages_kafka_is_of_the_type_whose_topics_cloudformation_can_create(stage: str) -> None:
    assert overrides(stage).get("Kafka", TEMPLATE["Parameters"]["Kafka"]["Default"]) == "provisioned"
    topics = [each for each in of("Streams")["Resources"].values() if each["Type"] == "AWS::MSK::Topic"]
    assert topics
    assert {topic["Condition"] for topic in topics} == {"Provisioned"}
    assert [topic for topic in topics if topic["Properties"]["ClusterArn"] != {"Ref": "Cluster"}] == []


def test_the_counter_at_the_edge_calls_the_api_at_its_public_address() -> None:
    """With a custom domain the API rejects requests at execute-api, and its paths have no stage."""
    assert TEMPLATE["Resources"]["Api"]["Properties"]["DisableExecuteApiEndpoint"] == {
        "Fn::If": ["HasDomain", True, False]
    }
    (origin,) = of("Edge")["Resources"]["Counter"]["Properties"]["DistributionConfig"]["Origins"]
    execute_api = {"Fn::Sub": "${RestApiId}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}
    assert origin["DomainName"] == {"Fn::If": ["HasDomain", {"Ref": "DomainName"}, execute_api]}
    assert origin["OriginPath"] == {"Fn::If": ["HasDomain", {"Ref": "AWS::NoValue"}, {"Fn::Sub": "/${StageName}"}]}


@pytest.mark.parametrize("name", NESTED)
def test_a_function_that_a_deployment_calls_has_its_log_group_before_it_is_called(name: str) -> None:
    """Otherwise Lambda creates the log group on the first call, and CloudFormation then cannot create it."""
    resources = of(name)["Resources"]
    functions = {
        logical: body["Properties"]
        for logical, body in resources.items()
        if body["Type"] in ("AWS::Lambda::Function", "AWS::Serverless::Function")
    }
    groups = {logical for logical, body in resources.items() if body["Type"] == "AWS::Logs::LogGroup"}
    assert functions or not any(body["Type"].startswith("Custom::") for body in resources.values())
    for logical, properties in functions.items():
        assert properties.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref") in groups, logical


def test_the_proxy_can_log_in_to_a_restored_postgres_too() -> None:
    """A restored instance has a different id than the one that the stack created."""
    (policy,) = of("Data")["Resources"]["ProxyRole"]["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    logins = {each["Fn::Sub"].partition(":dbuser:")[2] for each in statement["Resource"]}
    used = {f"*/{login}" for login in re.findall(r"dbuser:\$\{Proxy\}/(\w+)", TEXT)}
    assert logins == used


def test_a_restored_postgres_is_migrated_once_its_host_is_given() -> None:
    passed = NESTED["Schema"]["Parameters"]
    assert passed["DatabaseHost"]["Fn::If"][::2] == ["MigratesTheMade", {"Ref": "OwnerHost"}]
    assert passed["OwnerSecretArn"]["Fn::If"][::2] == ["MigratesTheMade", {"Ref": "OwnerSecretArn"}]
    made = {"Fn::And": [{"Condition": "CreateInfrastructure"}, {"Fn::Not": [{"Condition": "MigratesAnExisting"}]}]}
    assert TEMPLATE["Conditions"]["MigratesTheMade"] == made


def test_an_existing_personal_data_key_is_used_instead_of_a_new_one() -> None:
    """AUTH-020: only the key that sealed a value can open it."""
    key, name = TEMPLATE["Resources"]["PersonalDataKey"], TEMPLATE["Resources"]["PersonalDataKeyName"]
    assert TEMPLATE["Conditions"][key["Condition"]] == {"Fn::Equals": [{"Ref": "PersonalDataKeyArn"}, ""]}
    kept = {"Ref": "PersonalDataKeyArn"}
    assert name["Properties"]["TargetKeyId"]["Fn::If"] == [key["Condition"], {"Ref": "PersonalDataKey"}, kept]
    used = re.findall(r"^ +Resource: (.*PersonalDataKey\b.*)$", TEXT, re.MULTILINE)
    assert set(used) == {"!If [MakesPersonalDataKey, !GetAtt PersonalDataKey.Arn, !Ref PersonalDataKeyArn]"}


def test_the_application_stays_under_cloudformations_limit_and_has_no_circular_dependency() -> None:
    """500 resources a stack. Aliases depend on CodeDeploy, it on the alarms, and they on functions."""
    resources = translate(ROOT / "template.yaml", overrides("prod"), "ap-northeast-2", None)["Resources"]
    check_no_cycles(resources)
    assert len(resources) < 400, "leave room for what SAM adds"


def test_no_nested_stack_is_near_the_limit() -> None:
    assert all(len(of(name)["Resources"]) < 300 for name in NESTED)


def test_only_the_proxy_and_the_migrations_can_connect_to_postgres() -> None:
    network = yaml_parse((ROOT / "infra" / "network.yaml").read_text(encoding="utf-8"))["Resources"]
    allowed = [rule["SourceSecurityGroupId"] for rule in network["Database"]["Properties"]["SecurityGroupIngress"]]
    assert allowed == [{"Ref": "DatabaseProxy"}, {"Ref": "Migrations"}]


def test_the_firewall_allows_an_address_what_the_functions_allow_it() -> None:
    rules = {rule["Name"]: rule["Statement"] for rule in of("Edge")["Resources"]["Firewall"]["Properties"]["Rules"]}
    flood = of("Edge")["Parameters"]["RequestsPerAddress"]["Default"]
    expensive = rules["dear-paths"]["RateBasedStatement"]["Limit"]

    def in_five_minutes(*classes: RateClass) -> float:
        return sum((each.address_per_minute or 0) * 5 * BURST for each in classes)

    polling = 300 * 60 / 5 * 2 * 5  # 300 people behind one address: two requests every five seconds
    assert flood >= max(in_five_minutes(READS, LOGIN, OTHERS), polling)
    assert expensive >= in_five_minutes(LOGIN, OTHERS)


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [("https://a.example", "https://a.example"), ("https://a.example,https://b.example", "*")],
)
def test_a_preflight_allows_one_origin_or_any_of_several(tmp_path: Path, origins: str, allowed: str) -> None:
    """The gateway cannot choose between them; the responses themselves name the caller's (ADR 0107)."""
    (api,) = load(ROOT / "template.yaml", with_preflight_origin({"AllowedOrigin": origins}), cache=tmp_path).apis
    preflights = [route.mock for route in api.routes if route.mock]
    assert preflights
    for mock in preflights:
        sent = mock["responses"]["default"]["responseParameters"]
        assert sent["method.response.header.Access-Control-Allow-Origin"] == f"'{allowed}'"


@pytest.mark.parametrize(
    ("origins", "expression"),
    [
        ("https://a.example", "'https://a.example'"),
        ("https://a.example,https://b.example", "method.request.header.Origin"),
    ],
)
def test_the_gateways_errors_name_the_one_front_end_or_the_callers_origin(
    tmp_path: Path, origins: str, expression: str
) -> None:
    (api,) = load(ROOT / "template.yaml", with_preflight_origin({"AllowedOrigin": origins}), cache=tmp_path).apis
    assert api.responses
    for response in api.responses.values():
        assert response.headers["Access-Control-Allow-Origin"] == expression
