"""infra/alarms.toml lists the alarms: it names only what exists, and infra/observe.yaml is built from it."""

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from common.http import endpoint
from common.runtime.metrics import NAMESPACE
from functions.events.domain.seat_disagreements import Disagreements
from infra.alarms import Alarm, dashboard, read, to_yaml
from tools.openapi.routes import ROOT, routes

ALARMS = read()
OURS = [alarm for alarm in ALARMS if alarm.namespace == NAMESPACE]
TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))


@cache
def emitted() -> dict[str, list[dict[str, str | None]]]:
    """The metrics our code emits: for each name its dimensions, with None for a computed value."""
    found: dict[str, list[dict[str, str | None]]] = {}
    for path in [*(ROOT / "functions").rglob("*.py"), *(ROOT / "layers/common/python").rglob("*.py")]:
        for names, dimensions in _emit_calls(path):
            for name in names:
                found.setdefault(name, []).append(dimensions)
    declared: dict[str, Any] = dict(endpoint.METRICS)
    for metric in declared["Metrics"]:
        found.setdefault(metric["Name"], []).append(dict.fromkeys(declared["Dimensions"][0]))
    return found


def _emit_calls(path: Path) -> Iterator[tuple[set[str], dict[str, str | None]]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "emit"):
            continue
        names = {keyword.arg for keyword in node.keywords if keyword.arg}
        if any(keyword.arg is None for keyword in node.keywords):  # **{name: count}: names are constants of the module
            names |= {
                str(each.value) for each in ast.walk(tree) if isinstance(each, ast.Constant) and _is_name(each.value)
            }
            if path.stem == "reconcile_seats":
                names |= set(Disagreements().counts())
        given = node.args[0]
        assert isinstance(given, ast.Dict), f"{path}: the dimensions must be a dict literal"
        yield (
            names,
            {_constant(key) or "": _constant(value) for key, value in zip(given.keys, given.values, strict=True)},
        )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isidentifier() and value[0].isupper()


def _constant(node: ast.expr | None) -> str | None:
    return str(node.value) if isinstance(node, ast.Constant) else None


def circuits() -> set[str]:
    sources = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "layers/common/python").rglob("*.py")]
    calls = (node for path in sources for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return {
        str(_constant(node.args[0]))
        for node in calls
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "CircuitBreaker"
    }


@pytest.mark.parametrize("alarm", OURS, ids=lambda alarm: alarm.name)
def test_an_alarm_is_on_a_metric_that_is_emitted_with_its_dimensions(alarm: Alarm) -> None:
    def fits(dimensions: dict[str, str | None]) -> bool:
        if alarm.by:
            return set(alarm.by) == set(dimensions)
        return set(alarm.dimensions) == set(dimensions) and all(
            dimensions[name] in (None, value) for name, value in alarm.dimensions.items()
        )

    assert any(fits(dimensions) for dimensions in emitted().get(alarm.metric, ()))


def test_an_alarm_on_a_circuit_names_an_existing_circuit_breaker() -> None:
    assert {alarm.dimensions["circuit"] for alarm in OURS if "circuit" in alarm.dimensions} <= circuits()


def test_every_route_has_its_objective_and_its_alarms() -> None:
    """EVT-021, GW-014"""
    every = {f"{route.method} {route.path}" for route in routes()}
    for metric in ("Duration", "ServerErrors"):
        assert {alarm.dimensions["route"] for alarm in OURS if alarm.metric == metric} == every


def test_every_route_that_the_list_names_exists() -> None:
    listed = tomllib.loads((ROOT / "infra" / "alarms.toml").read_text(encoding="utf-8"))
    named = {*listed["objectives"]["routes"], *listed["canary"]["routes"]}
    assert named <= {str(route) for route in routes()}, "correct or remove the routes that template.yaml does not have"


@pytest.mark.parametrize(
    ("route", "milliseconds"),
    [
        *(("GET /events", 200), ("GET /events/{id}", 100), ("GET /events/{id}/seats", 300)),
        *(("POST /queue/enter", 100), ("GET /queue/status", 50)),
    ],
)
def test_a_required_objective_is_the_threshold(route: str, milliseconds: float) -> None:
    """EVT-004, EVT-005, EVT-006, QUEUE-015"""
    (alarm,) = (alarm for alarm in OURS if alarm.metric == "Duration" and alarm.dimensions["route"] == route)
    assert (alarm.statistic, alarm.above) == ("p95", milliseconds)


def test_a_function_without_a_route_has_its_own_alarm_on_errors() -> None:
    functions = {
        name: resource["Properties"].get("Events", {})
        for name, resource in TEMPLATE["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    unrouted = {name for name, events in functions.items() if not any(e["Type"] == "Api" for e in events.values())}
    consumers = {name for name, events in functions.items() if any(e["Type"] == "MSK" for e in events.values())}

    def watched(metric: str) -> set[str]:
        every = (alarm.dimensions.get("FunctionName", "") for alarm in ALARMS if alarm.metric == metric)
        return {name.strip("${}") for name in every if name}

    assert watched("Errors") == unrouted
    assert watched("OffsetLag") == consumers


def test_a_canary_is_rolled_back_on_its_own_failures_too() -> None:
    """Even if every purchase fails, that is far below one percent of the API's requests."""
    watched = {alarm.name: alarm for alarm in ALARMS if alarm.rolls_back}
    canaries = {
        name: resource["Properties"]
        for name, resource in TEMPLATE["Resources"].items()
        if "DeploymentPreference" in resource.get("Properties", {})
    }
    assert canaries
    for name, properties in canaries.items():
        every, crashes, own = (_name_of(alarm) for alarm in properties["DeploymentPreference"]["Alarms"])
        assert (every, crashes) == ("ApiServerErrors", "FunctionErrors")
        routes = [event["Properties"] for event in properties.get("Events", {}).values() if event["Type"] == "Api"]
        expected = [("ServerErrors", {"route": f"{each['Method']} {each['Path']}"}) for each in routes]
        assert own in watched, f"{name}: no alarm {own}; name its route or function in [canary] of infra/alarms.toml"
        assert [(watched[own].metric, watched[own].dimensions)] == (
            expected or [("Errors", {"FunctionName": f"${{{name}}}"})]
        )
    assert len(watched) == 2 + len(canaries)


def _name_of(alarm: Any) -> str:
    """`!If [OnAws, !GetAtt Observe.Outputs.Name, !Ref AWS::NoValue]`"""
    name: str = alarm["Fn::If"][1]["Fn::GetAtt"][1].removeprefix("Outputs.")
    return name


def test_the_template_passes_every_name_that_the_alarms_need() -> None:
    made = yaml_parse((ROOT / "infra" / "observe.yaml").read_text(encoding="utf-8"))
    assert set(TEMPLATE["Resources"]["Observe"]["Properties"]["Parameters"]) == set(made["Parameters"])


def test_every_alarm_has_a_unique_name_and_one_threshold() -> None:
    assert len({alarm.name for alarm in ALARMS}) == len(ALARMS)
    assert all((alarm.above is None) != (alarm.below is None) for alarm in ALARMS)


def test_every_alarm_is_on_the_dashboard() -> None:
    drawn = str(dashboard(ALARMS))
    assert [alarm.name for alarm in ALARMS if str(alarm.series()[0])[1:-1] not in drawn] == []
    assert drawn.count("'stat'") + drawn.count("'expression'") == len(ALARMS)


def test_the_deployed_alarms_are_built_from_this_list_and_not_committed() -> None:
    assert "infra/observe.yaml" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert (ROOT / "infra" / "observe.yaml").read_text(encoding="utf-8") == to_yaml(ALARMS), "make alarms"
