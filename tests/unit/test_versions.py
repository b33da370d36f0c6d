"""A function with an alias runs the version that it names: every change has to publish a new one."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from emulator.translate import translate
from infra.deploy import with_settings

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  HoldSeconds: {Type: Number, Default: 300}
Resources:
  CommonLayer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer-1, PublishLambdaVersion: true}
  HoldFunction:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      AutoPublishAliasAllProperties: true
      CodeUri: code-1
      Handler: hold.handler
      Runtime: python3.13
      Layers: [{Ref: CommonLayer}]
      Environment: {Variables: {HOLD_SECONDS: {Ref: HoldSeconds}}}
"""


@pytest.fixture
def built(tmp_path: Path) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE, encoding="utf-8")
    return path


def version(built: Path, **parameters: str) -> str:
    """The logical id of the version that SAM publishes: another id is another version."""
    stack = translate(with_settings(built, parameters), parameters, "ap-northeast-2", None)
    found: str
    (found,) = [name for name, one in stack["Resources"].items() if one["Type"] == "AWS::Lambda::Version"]
    return found


def test_a_deployment_without_changes_publishes_nothing(built: Path) -> None:
    assert version(built, HoldSeconds="240") == version(built, HoldSeconds="240")


@pytest.mark.parametrize("changed", ["code-1", "layer-1"])
def test_a_change_of_code_or_layer_publishes_a_version(built: Path, changed: str) -> None:
    before = version(built)
    built.write_text(TEMPLATE.replace(changed, "changed"), encoding="utf-8")
    assert version(built) != before


def test_a_change_of_a_parameter_publishes_a_version(built: Path) -> None:
    assert version(built, HoldSeconds="240") != version(built, HoldSeconds="300")


def test_a_function_without_variables_is_published_for_a_parameter_too(built: Path) -> None:
    built.write_text(re.sub(r" *Environment: .*\n", "", TEMPLATE), encoding="utf-8")
    assert version(built, HoldSeconds="240") != version(built, HoldSeconds="300")


def test_a_change_of_a_default_publishes_a_version(built: Path) -> None:
    before = version(built)
    built.write_text(TEMPLATE.replace("Default: 300", "Default: 240"), encoding="utf-8")
    assert version(built) != before


def test_passing_a_default_explicitly_publishes_nothing(built: Path) -> None:
    assert version(built, HoldSeconds="300") == version(built)


def test_every_function_with_an_alias_is_published_for_any_property_and_for_its_layer() -> None:
    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's short forms as what they contain."""

    def held(loader: Any, _: str, node: yaml.Node) -> Any:
        return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else str(node)

    Loader.add_multi_constructor("!", held)
    text = (Path(__file__).parents[2] / "template.yaml").read_text(encoding="utf-8")
    resources = yaml.load(text, Loader)["Resources"]  # noqa: S506 - of a safe loader
    aliased = [one["Properties"] for one in resources.values() if "AutoPublishAlias" in one.get("Properties", {})]
    assert aliased
    assert all(one["AutoPublishAliasAllProperties"] for one in aliased)
    assert resources["CommonLayer"]["Properties"]["PublishLambdaVersion"]
