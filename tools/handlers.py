"""The functions that template.yaml deploys, each with its handler's file and its sample event.

This is the one place that maps a handler to its sample event. It imports no handler.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
METHODS = ("GET", "POST", "PUT", "DELETE")


@dataclass(frozen=True)
class DeployedFunction:
    """A function of the template whose handler is in functions/."""

    logical_id: str
    module: str  # functions.events.handlers.read_venue
    triggers: tuple[Mapping[str, Any], ...] = ()  # its `Events` in the template
    variables: Mapping[str, Any] | None = None  # of its environment

    @property
    def service(self) -> str:
        return self.module.split(".")[1]

    @property
    def name(self) -> str:
        """The name of its handler, its sample event and, for a route, its operation: `read_venue`."""
        return self.module.split(".")[-1]

    @property
    def file(self) -> Path:
        return ROOT / f"{self.module.replace('.', '/')}.py"

    @property
    def sample(self) -> Path:
        return ROOT / "events" / f"{self.name}.json"

    def triggered_by(self, kind: str) -> list[Mapping[str, Any]]:
        """The properties of its triggers of one kind: `Api`, `MSK`, `ScheduleV2`."""
        return [trigger["Properties"] for trigger in self.triggers if trigger["Type"] == kind]


@dataclass(frozen=True)
class TemplateRoute:
    """A route of the API and the function behind it."""

    method: str
    path: str
    public: bool  # without an authorizer
    function: DeployedFunction

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def module(self) -> str:
        return self.function.module

    @property
    def service(self) -> str:
        return self.function.service

    @property
    def name(self) -> str:
        return self.function.name


def deployed_functions(template: Path = TEMPLATE) -> list[DeployedFunction]:
    """In the template's order."""
    document = yaml.load(template.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    return list(_functions(document["Resources"]))


def template_routes(template: Path = TEMPLATE) -> list[TemplateRoute]:
    """By path and method. Without the catch-all that returns 404."""
    routes = [
        TemplateRoute(
            properties["Method"], properties["Path"], properties.get("Auth", {}).get("Authorizer") == "NONE", function
        )
        for function in deployed_functions(template)
        for properties in function.triggered_by("Api")
        if properties["Method"] != "ANY"
    ]
    return sorted(routes, key=lambda route: (route.path, METHODS.index(route.method)))


def handler_files() -> list[Path]:
    """Every file of functions/ that defines a handler, deployed or not."""
    files = (ROOT / "functions").glob("*/handlers/*.py")
    defines = re.compile(r"^(def handler\(|handler = )", re.MULTILINE)
    return sorted(path for path in files if defines.search(path.read_text(encoding="utf-8")))


def _functions(resources: Mapping[str, Any]) -> Iterator[DeployedFunction]:
    for logical_id, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] != "AWS::Serverless::Function" or not properties["Handler"].startswith("functions."):
            continue
        yield DeployedFunction(
            logical_id,
            properties["Handler"].removesuffix(".handler"),
            tuple(properties.get("Events", {}).values()),
            properties.get("Environment", {}).get("Variables"),
        )


class _Loader(yaml.CSafeLoader):
    """Reads CloudFormation's short forms as their long ones: `!Ref Api` as `{Ref: Api}`. Ten times as fast as
    samtranslator's loader."""


def _long_form(loader: yaml.CSafeLoader, name: str, node: yaml.Node) -> Any:
    key = name if name in ("Ref", "Condition") else f"Fn::{name}"
    if isinstance(node, yaml.ScalarNode):
        return {key: node.value}
    if isinstance(node, yaml.SequenceNode):
        return {key: loader.construct_sequence(node, deep=True)}
    return {key: loader.construct_mapping(node, deep=True)}  # type: ignore[arg-type]


_Loader.add_multi_constructor("!", _long_form)
