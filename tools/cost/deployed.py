"""Reads what costs money from the templates: memory, processor and schedules of functions, and all other resources."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
POLLERS_A_UNIT = 4  # https://docs.aws.amazon.com/lambda/latest/dg/kafka-scaling-modes.html
_MINUTES = {"minute": 1, "hour": 60, "day": 1440}


@dataclass(frozen=True)
class Function:
    memory_mb: int
    architecture: str
    runs_a_month: float  # from its schedules


@dataclass(frozen=True)
class Deployed:
    functions: Mapping[str, Function]
    poller_units: int  # Kafka pollers, minimum
    resources: Mapping[str, int]  # by CloudFormation type, in all templates; conditions count as true
    brokers: int  # of a provisioned Kafka
    broker_gb: int  # sum of their disks
    secrets: int


def read_templates(root: Path = ROOT) -> Deployed:
    """Parameters have their default values."""
    text = (root / "template.yaml").read_text(encoding="utf-8")
    main = yaml_parse(text)
    nested = [yaml_parse(file.read_text(encoding="utf-8")) for file in sorted((root / "infra").glob("*.yaml"))]
    defaults = {name: body.get("Default") for name, body in main["Parameters"].items()}
    globally = main["Globals"]["Function"]
    functions = {
        name: _function({**globally, **resource["Properties"]}, defaults)
        for name, resource in main["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    resources = [resource for document in (main, *nested) for resource in document.get("Resources", {}).values()]
    clusters = [each["Properties"] for each in resources if each["Type"] == "AWS::MSK::Cluster"]
    return Deployed(
        functions,
        _poller_units(main["Resources"]),
        Counter(resource["Type"] for resource in resources),
        sum(each["NumberOfBrokerNodes"] for each in clusters),
        sum(each["NumberOfBrokerNodes"] * _disk_gb(each) for each in clusters),
        len(set(re.findall(r"\$\{SecretsPrefix\}([\w/-]+?)(?:-\?{6}|/\*)", text))),
    )


def _function(properties: Mapping[str, Any], defaults: Mapping[str, Any]) -> Function:
    events = properties.get("Events", {}).values()
    return Function(
        int(_value(properties["MemorySize"], defaults)),
        str(_value(properties["Architectures"][0], defaults)),
        sum(_runs(event["Properties"]["ScheduleExpression"]) for event in events if event["Type"] == "ScheduleV2"),
    )


def _poller_units(resources: Mapping[str, Any]) -> int:
    """Four pollers are one unit (5 and 20 MB a second). Event source mappings of one group share their pollers."""
    groups: Counter[str] = Counter()
    for function, resource in resources.items():
        for name, event in resource.get("Properties", {}).get("Events", {}).items():
            pollers = event["Properties"].get("ProvisionedPollerConfig")
            if pollers:
                groups[pollers.get("PollerGroupName", f"{function}.{name}")] += pollers["MinimumPollers"]
    return sum(-(-pollers // POLLERS_A_UNIT) for pollers in groups.values())


def _disk_gb(cluster: Mapping[str, Any]) -> int:
    """The disk of each broker."""
    return int(cluster["BrokerNodeGroupInfo"]["StorageInfo"]["EBSStorageInfo"]["VolumeSize"])


def _value(value: Any, defaults: Mapping[str, Any]) -> Any:
    return defaults[value["Ref"]] if isinstance(value, dict) else value


def _runs(expression: str) -> float:
    """Runs in a month of 730 hours. Raises ValueError for a cron expression."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if not found:
        raise ValueError(f"{expression}: only rate expressions are supported")
    return 730 * 60 / (int(found[1]) * _MINUTES[found[2]])
