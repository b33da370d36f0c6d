"""Writes infra/observe.yaml, the alarms and the dashboard, from infra/alarms.toml. The result is not committed.

make alarms
"""

import json
import os
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from common.runtime.metrics import NAMESPACE
from tools import handlers

FOLDER = Path(__file__).parent
TEMPLATE = FOLDER / "observe.yaml"
SOURCES = (FOLDER / "alarms.toml", Path(__file__), handlers.TEMPLATE)
GROUPS = {
    "sale": "The sale",
    "payments": "Payments",
    "messages": "Messages",
    "access": "Access",
    "api": "The gateway and the functions",
    "errors": "Functions without a route",
    "latency": "p95 of each route, ms",
    "failures": "5xx responses of each route",
}
COMPARISONS = {"above": "GreaterThanThreshold", "below": "LessThanThreshold"}
COLUMNS, WIDTH, HEIGHT = 4, 6, 5  # of a dashboard 24 wide


@dataclass(frozen=True)
class Alarm:
    """One alarm of the list. `period` is in seconds; `minutes` of `of` periods must be beyond the threshold."""

    name: str
    description: str
    group: str
    metric: str
    above: float | None = None
    below: float | None = None
    namespace: str = NAMESPACE
    dimensions: Mapping[str, str] = field(default_factory=dict)
    by: tuple[str, ...] = ()  # over all values of these dimensions
    statistic: str = "Sum"
    period: int = 60
    minutes: int = 1
    of: int = 1
    missing: str = "notBreaching"
    rolls_back: bool = False  # CodeDeploy rolls a canary back on it

    @property
    def threshold(self) -> float:
        return next(value for value in (self.above, self.below) if value is not None)

    @property
    def query(self) -> str:
        """A Metrics Insights query over every value of the dimensions."""
        return f"SELECT {self.statistic.upper()}({self.metric}) FROM SCHEMA({self.namespace}, {', '.join(self.by)})"

    def resource(self) -> dict[str, Any]:
        measured: dict[str, Any]
        if self.by:
            measured = {"Metrics": [{"Id": "all", "Expression": self.query, "Period": self.period}]}
        else:
            percentile = self.statistic.startswith("p")
            measured = {
                "Namespace": self.namespace,
                "MetricName": self.metric,
                "Dimensions": [{"Name": name, "Value": _value(value)} for name, value in self.dimensions.items()],
                "ExtendedStatistic" if percentile else "Statistic": self.statistic,
                "Period": self.period,
            }
            if percentile:  # one slow request of three must not count as p95
                measured["EvaluateLowSampleCountPercentile"] = "ignore"
        return {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmDescription": self.description,
                **measured,
                "EvaluationPeriods": self.of,
                "DatapointsToAlarm": self.minutes,
                "Threshold": self.threshold,
                "ComparisonOperator": COMPARISONS["below" if self.below is not None else "above"],
                "TreatMissingData": self.missing,
                "AlarmActions": [{"Ref": "Topic"}],
                "OKActions": [{"Ref": "Topic"}],
            },
        }

    def series(self, label: str | None = None) -> list[Any]:
        """The metric as a series of a dashboard chart."""
        if self.by:
            return [{"expression": self.query, "label": label or self.metric, "period": self.period}]
        parts = [part for dimension in self.dimensions.items() for part in dimension]
        options = {"stat": self.statistic, "period": self.period, "label": label or self.metric}
        return [self.namespace, self.metric, *parts, options]


def read(path: Path = FOLDER / "alarms.toml") -> list[Alarm]:
    """Every alarm: the listed ones, those of each route of template.yaml, and those of functions without a route."""
    listed = tomllib.loads(path.read_text(encoding="utf-8"))
    alarms = [Alarm(**{**each, "by": tuple(each.get("by", ()))}) for each in listed["alarm"]]
    objectives = listed["objectives"]
    for route in handlers.template_routes():
        objective = objectives["routes"].get(str(route), objectives["read" if route.method == "GET" else "change"])
        alarms += _of_route(str(route), objective, str(route) in listed["canary"]["routes"])
    functions, canaries = listed["functions"], listed["canary"]["functions"]
    alarms += [
        _of_function(name, "Errors", "Sum", 0, "fails", rolls_back=name in canaries) for name in functions["errors"]
    ]
    alarms += [
        _of_function(name, "OffsetLag", "Maximum", functions["lag_above"], "is behind its topic")
        for name in functions["lag"]
    ]
    return alarms


def _of_route(route: str, objective: float, rolls_back: bool) -> Iterator[Alarm]:
    name = "".join(word[:1].upper() + word[1:] for word in re.findall(r"[a-z]+", route, re.IGNORECASE))
    dimensions = {"route": route}
    yield Alarm(
        f"{name}Slow",
        f"p95 of {route} is over its objective (EVT-021)",
        *("latency", "Duration", objective),
        dimensions=dimensions,
        statistic="p95",
        period=300,
        minutes=2,
        of=3,
    )
    yield Alarm(
        f"{name}Fails",
        f"{route} returns 5xx",
        *("failures", "ServerErrors", 5),
        dimensions=dimensions,
        period=300,
        rolls_back=rolls_back,
    )


def _of_function(name: str, metric: str, statistic: str, above: float, what: str, rolls_back: bool = False) -> Alarm:
    short = name.removesuffix("Function")
    return Alarm(
        f"{short}{metric}",
        f"{short} {what}",
        *("errors" if metric == "Errors" else "messages", metric, above),
        namespace="AWS/Lambda",
        dimensions={"FunctionName": f"${{{name}}}"},
        statistic=statistic,
        minutes=3,
        of=5,
        rolls_back=rolls_back,
    )


def _value(text: str) -> Any:
    """A text that is only `${Name}` is a parameter of the stack."""
    parameter = re.fullmatch(r"\$\{(\w+)\}", text)
    return {"Ref": parameter.group(1)} if parameter else text


def dashboard(alarms: list[Alarm]) -> dict[str, Any]:
    """The dashboard: alarms in ALARM state on top, then each group; routes of a service share a chart."""
    widgets: list[dict[str, Any]] = []
    top = 0

    def put(widget: dict[str, Any], x: int, y: int, width: int, height: int) -> None:
        widgets.append({"x": x, "y": y, "width": width, "height": height, **widget})

    arns = [f"${{{alarm.name}.Arn}}" for alarm in alarms if alarm.group not in ("latency", "failures")]
    put({"type": "alarm", "properties": {"title": "Alarms", "alarms": arns}}, 0, top, 24, 6)
    top += 6
    for group, title in GROUPS.items():
        put({"type": "text", "properties": {"markdown": f"## {title}"}}, 0, top, 24, 1)
        top += 1
        charts = list(_charts(group, [alarm for alarm in alarms if alarm.group == group]))
        for index, chart in enumerate(charts):
            put(chart, index % COLUMNS * WIDTH, top + index // COLUMNS * HEIGHT, WIDTH, HEIGHT)
        top += -(-len(charts) // COLUMNS) * HEIGHT
    return {"widgets": widgets}


def _charts(group: str, alarms: list[Alarm]) -> Iterator[dict[str, Any]]:
    if group in ("latency", "failures"):
        together = defaultdict(list)
        for alarm in alarms:
            together[alarm.dimensions["route"].split("/")[1]].append(alarm)
        for first, several in together.items():
            objectives = sorted({alarm.threshold for alarm in several}) if group == "latency" else []
            yield _chart(f"/{first}", [alarm.series(alarm.dimensions["route"]) for alarm in several], objectives)
    elif group == "errors":
        yield _chart("Errors", [alarm.series(alarm.name.removesuffix("Errors")) for alarm in alarms], [])
    else:
        for alarm in alarms:
            yield _chart(alarm.name, [alarm.series()], [alarm.threshold])


def _chart(title: str, lines: list[list[Any]], limits: list[float]) -> dict[str, Any]:
    properties: dict[str, Any] = {"title": title, "region": "${AWS::Region}", "view": "timeSeries", "metrics": lines}
    if limits:
        properties["annotations"] = {"horizontal": [{"value": limit} for limit in limits]}
    return {"type": "metric", "properties": properties}


def template(alarms: list[Alarm]) -> dict[str, Any]:
    parameters = sorted(set(re.findall(r"\$\{(\w+)\}", json.dumps([dict(alarm.dimensions) for alarm in alarms]))))
    board = json.dumps(dashboard(alarms), indent=1)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Alarms and the dashboard. Built by make alarms from infra/alarms.toml - do not edit.",
        "Parameters": {
            **{name: {"Type": "String"} for name in parameters},
            "DashboardName": {"Type": "String"},
            "AlarmEmail": {"Type": "String", "Default": "", "Description": "E-mail address for alarms, or empty"},
        },
        "Conditions": {"SomebodyListens": {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmEmail"}, ""]}]}},
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": {"Ref": "TopicKey"}}},
            "TopicKey": _topic_key(),
            "Listener": {
                "Type": "AWS::SNS::Subscription",
                "Condition": "SomebodyListens",
                "Properties": {
                    "TopicArn": {"Ref": "Topic"},
                    "Protocol": "email",
                    "Endpoint": {"Ref": "AlarmEmail"},
                },
            },
            **{alarm.name: alarm.resource() for alarm in alarms},
            "Dashboard": {
                "Type": "AWS::CloudWatch::Dashboard",
                "Properties": {"DashboardName": {"Ref": "DashboardName"}, "DashboardBody": {"Fn::Sub": board}},
            },
        },
        "Outputs": {
            "Topic": {"Value": {"Ref": "Topic"}},
            **{alarm.name: {"Value": {"Ref": alarm.name}} for alarm in alarms if alarm.rolls_back},
        },
    }


def _topic_key() -> dict[str, Any]:
    """A key of our own: CloudWatch cannot publish to a topic under the key aws/sns."""
    root = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    of_this_account = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    return {
        "Type": "AWS::KMS::Key",
        "Properties": {
            "Description": "Messages of alarms",
            "EnableKeyRotation": True,
            "KeyPolicy": {
                "Version": "2012-10-17",
                "Statement": [
                    # In a key's policy "*" means this key.
                    {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"},
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "cloudwatch.amazonaws.com"},
                        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
                        "Resource": "*",
                        "Condition": of_this_account,
                    },
                ],
            },
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes long texts as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def to_yaml(alarms: list[Alarm]) -> str:
    plain = json.loads(json.dumps(template(alarms)))  # copies, so that YAML has no anchors
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, width=160, allow_unicode=True)


def build() -> list[Alarm]:
    """Writes the template atomically. Returns the alarms in it."""
    alarms = read()
    unfinished = TEMPLATE.with_suffix(f".{os.getpid()}")
    unfinished.write_text(to_yaml(alarms), encoding="utf-8")
    unfinished.replace(TEMPLATE)
    return alarms


def build_if_changed() -> None:
    """Builds the template if it is missing or older than its sources."""
    if not TEMPLATE.exists() or TEMPLATE.stat().st_mtime < max(source.stat().st_mtime for source in SOURCES):
        build()


def main() -> None:
    alarms = build()
    print(f"{len(alarms)} alarms and the dashboard in infra/observe.yaml", file=sys.stderr)


if __name__ == "__main__":
    main()
