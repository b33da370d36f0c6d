"""The public routes of template.yaml, each with what its handler declares."""

import inspect
import json
import re
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from common.http.operation import Operation

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    module: str  # functions.auth.login
    public: bool  # no authorizer stands before it

    @property
    def service(self) -> str:
        return self.module.split(".")[1]

    @property
    def name(self) -> str:
        """`auth_login`: the operation's id, and of its sample event the file name."""
        return "_".join(self.module.split(".")[1:])

    @cached_property
    def operation(self) -> Operation:
        declared: Operation = import_module(self.module).handler.operation
        return declared

    @cached_property
    def told(self) -> str:
        """What the handler's file says of it, without the method and path it begins with."""
        words = inspect.cleandoc(import_module(self.module).__doc__ or "")
        words = re.sub(r"^[A-Z]+ /\S*?: ", "", words)
        return words[:1].upper() + words[1:]

    @cached_property
    def sample(self) -> dict[str, Any]:
        sample: dict[str, Any] = json.loads((ROOT / "events" / f"{self.name}.json").read_text(encoding="utf-8"))
        return sample


def routes(template: Path = TEMPLATE) -> list[Route]:
    """By path and method. The catch-all that answers 404 is no route of the API."""
    found = []
    for resource in yaml_parse(template.read_text(encoding="utf-8"))["Resources"].values():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        module = resource["Properties"]["Handler"].removesuffix(".handler")
        for event in resource["Properties"].get("Events", {}).values():
            properties = event["Properties"]
            if event["Type"] == "Api" and properties["Method"] != "ANY":
                public = properties.get("Auth", {}).get("Authorizer") == "NONE"
                found.append(Route(properties["Method"], properties["Path"], module, public))
    return sorted(found, key=lambda route: (route.path, ["GET", "POST", "PUT", "DELETE"].index(route.method)))
