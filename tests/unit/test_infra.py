"""template.yaml and the nested stacks of infra/ fit together, whichever way they are deployed."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from emulator.dependencies import refuse_circles
from emulator.translate import translate
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
def test_a_nested_stack_is_handed_what_it_asks_for_and_nothing_else(name: str) -> None:
    asked = of(name)["Parameters"]
    handed = set(NESTED[name].get("Parameters", {}))
    assert handed <= set(asked)
    assert {each for each, body in asked.items() if "Default" not in body} <= handed


def test_outputs_that_are_read_are_there() -> None:
    read = set(re.findall(r"(\w+)\.Outputs\.(\w+)", TEXT))
    assert read
    assert {(name, output) for name, output in read if output not in of(name)["Outputs"]} == set()


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_lowers_the_cost_of_bcrypt(stage: str) -> None:
    """The tests' stacks do; OWASP asks for 10 or more."""
    assert int(overrides(stage).get("BcryptCost", TEMPLATE["Parameters"]["BcryptCost"]["Default"])) >= 10


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_sets_parameters_there_are_to_values_they_take(stage: str) -> None:
    for name, value in overrides(stage).items():
        assert value in [str(each) for each in TEMPLATE["Parameters"][name].get("AllowedValues", [value])], name
    assert overrides(stage)["Stage"] == stage


@pytest.mark.parametrize("stage", STAGES)
def test_a_stages_kafka_is_of_the_kind_whose_topics_cloudformation_can_make(stage: str) -> None:
    assert overrides(stage).get("Kafka", TEMPLATE["Parameters"]["Kafka"]["Default"]) == "provisioned"
    topics = [each for each in of("Streams")["Resources"].values() if each["Type"] == "AWS::MSK::Topic"]
    assert topics
    assert {topic["Condition"] for topic in topics} == {"Provisioned"}
    assert [topic for topic in topics if topic["Properties"]["ClusterArn"] != {"Ref": "Cluster"}] == []


def test_the_edges_counter_asks_the_api_where_it_answers() -> None:
    """With a domain of its own the API refuses who comes by execute-api; the domain has no stage in its path."""
    assert TEMPLATE["Resources"]["Api"]["Properties"]["DisableExecuteApiEndpoint"] == {
        "Fn::If": ["HasDomain", True, False]
    }
    (origin,) = of("Edge")["Resources"]["Counter"]["Properties"]["DistributionConfig"]["Origins"]
    execute_api = {"Fn::Sub": "${RestApiId}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}
    assert origin["DomainName"] == {"Fn::If": ["HasDomain", {"Ref": "DomainName"}, execute_api]}
    assert origin["OriginPath"] == {"Fn::If": ["HasDomain", {"Ref": "AWS::NoValue"}, {"Fn::Sub": "/${StageName}"}]}


@pytest.mark.parametrize("name", NESTED)
def test_a_function_that_a_deployment_calls_has_its_log_group_before_it_is_called(name: str) -> None:
    """Lambda makes a group of the function's name on the first call; CloudFormation then cannot make the same."""
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


def test_the_proxy_signs_in_to_a_restored_postgres_too() -> None:
    """A restored instance has another id than the one its stack made."""
    (policy,) = of("Data")["Resources"]["ProxyRole"]["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    logins = {each["Fn::Sub"].partition(":dbuser:")[2] for each in statement["Resource"]}
    asked = {f"*/{login}" for login in re.findall(r"dbuser:\$\{Proxy\}/(\w+)", TEXT)}
    assert logins == asked


def test_a_restored_postgres_is_migrated_once_it_is_named() -> None:
    handed = NESTED["Schema"]["Parameters"]
    assert handed["DatabaseHost"]["Fn::If"][::2] == ["MigratesTheMade", {"Ref": "OwnerHost"}]
    assert handed["OwnerSecretArn"]["Fn::If"][::2] == ["MigratesTheMade", {"Ref": "OwnerSecretArn"}]
    made = {"Fn::And": [{"Condition": "CreateInfrastructure"}, {"Fn::Not": [{"Condition": "MigratesAnExisting"}]}]}
    assert TEMPLATE["Conditions"]["MigratesTheMade"] == made


def test_a_key_of_personal_data_that_was_kept_is_taken_in_place_of_a_new_one() -> None:
    """AUTH-020: what one key sealed no other opens."""
    key, name = TEMPLATE["Resources"]["PersonalDataKey"], TEMPLATE["Resources"]["PersonalDataKeyName"]
    assert TEMPLATE["Conditions"][key["Condition"]] == {"Fn::Equals": [{"Ref": "PersonalDataKeyArn"}, ""]}
    kept = {"Ref": "PersonalDataKeyArn"}
    assert name["Properties"]["TargetKeyId"]["Fn::If"] == [key["Condition"], {"Ref": "PersonalDataKey"}, kept]
    used = re.findall(r"^ +Resource: (.*PersonalDataKey\b.*)$", TEXT, re.MULTILINE)
    assert set(used) == {"!If [MakesPersonalDataKey, !GetAtt PersonalDataKey.Arn, !Ref PersonalDataKeyArn]"}


def test_the_whole_application_stays_under_cloudformations_limit_and_waits_in_no_circle() -> None:
    """500 resources a stack; aliases wait for CodeDeploy, it for the alarms, they for functions."""
    resources = translate(ROOT / "template.yaml", overrides("prod"), "ap-northeast-2", None)["Resources"]
    refuse_circles(resources)
    assert len(resources) < 400, "leave room for what SAM adds"


def test_no_stack_inside_is_near_the_limit_either() -> None:
    assert all(len(of(name)["Resources"]) < 300 for name in NESTED)


def test_postgres_is_reached_through_its_proxy_and_by_migrations_alone() -> None:
    network = yaml_parse((ROOT / "infra" / "network.yaml").read_text(encoding="utf-8"))["Resources"]
    let_in = [rule["SourceSecurityGroupId"] for rule in network["Database"]["Properties"]["SecurityGroupIngress"]]
    assert let_in == [{"Ref": "DatabaseProxy"}, {"Ref": "Migrations"}]
