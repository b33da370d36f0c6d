"""`make generate`: its sample events are accepted, and it explains what it cannot generate."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import Field

from common.domain.model import Model, Moment
from tools.generate.completeness import handler_problem, not_an_endpoint, what_is_missing
from tools.generate.examples import example_of
from tools.generate.samples import NoSample, proxy_event, sample_event
from tools.handlers import DeployedFunction, TemplateRoute, deployed_functions
from tools.openapi.routes import Route, routes

ROUTES = routes()


class Part(Model):
    name: Annotated[str, Field(min_length=12, max_length=20)]


class Order(Model):
    event_id: UUID
    at: Moment
    count: Annotated[int, Field(ge=3, le=9)]
    kind: Literal["A", "B"]
    parts: Annotated[list[Part], Field(min_length=2)]
    prices: dict[Literal["VIP", "S"], Annotated[int, Field(gt=0)]]
    comment: str | None = None
    size: int = 20


def test_an_example_fits_its_model_by_names_types_and_bounds() -> None:
    example = example_of(Order)
    assert Order.model_validate(example)
    assert "comment" not in example
    assert example["size"] == 20


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_the_sample_event_made_for_a_route_is_accepted_and_shaped_like_the_committed_one(route: Route) -> None:
    made, to_correct = proxy_event(route)
    assert to_correct == []
    assert made.keys() == route.sample.keys()
    made_context, context = made["requestContext"], route.sample["requestContext"]
    assert made_context.keys() - {"authorizer"} == context.keys() - {"authorizer"}
    assert ("authorizer" in made_context) == (not route.public)


def functions_with(kind: str | None) -> Sequence[DeployedFunction]:
    every = [each for each in deployed_functions() if (each.triggered_by(kind) if kind else not each.triggers)]
    return [each for each in every if kind or {"headers", "body"} == _committed(each).keys()]


def _committed(function: DeployedFunction) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads(function.sample.read_text(encoding="utf-8"))
    return sample


@pytest.mark.parametrize("function", functions_with(None), ids=lambda function: function.logical_id)
def test_the_sample_event_made_for_an_internal_call_names_a_caller_and_holds_a_body(
    function: DeployedFunction,
) -> None:
    made, to_correct = sample_event(function, ROUTES)
    assert to_correct == []
    assert made["headers"] == _committed(function)["headers"]
    assert made["body"].keys() <= _committed(function)["body"].keys()


@pytest.mark.parametrize("kind", ["MSK", "ScheduleV2"])
def test_the_sample_event_of_a_consumer_or_a_schedule_is_shaped_like_the_committed_one(kind: str) -> None:
    for function in functions_with(kind):
        assert sample_event(function, ROUTES)[0].keys() == _committed(function).keys()


def test_a_function_without_a_trigger_gets_an_explanation_instead_of_a_sample_event() -> None:
    (authorizer,) = (each for each in deployed_functions() if each.logical_id == "AuthorizerFunction")
    with pytest.raises(NoSample, match=r"AuthorizerFunction has no trigger in template.yaml .*: write events/\w+.json"):
        sample_event(authorizer, ROUTES)


def test_a_function_without_a_file_gets_an_explanation_instead_of_a_sample_event() -> None:
    with pytest.raises(NoSample, match=r"so write functions/events/handlers/read_nothing\.py"):
        sample_event(DeployedFunction("X", "functions.events.handlers.read_nothing"), ROUTES)


def test_everything_that_a_new_route_still_needs_is_listed() -> None:
    function = DeployedFunction("X", "functions.events.handlers.read_nothing")
    route = TemplateRoute("GET", "/venues/{id}/nothing", True, function)
    assert list(what_is_missing(route)) == [
        "GET /venues/{id}/nothing has no handler: template.yaml names functions.events.handlers.read_nothing.handler, "
        "so write functions/events/handlers/read_nothing.py.",
        "GET /venues/{id}/nothing has no sample event events/read_nothing.json: run `make generate`.",
        "GET /venues/{id}/nothing is not in functions/gateway/openapi.json as read_nothing: run `make generate`.",
        "GET /venues/{id}/nothing has no row in docs/api.md: add one under Venues and events.",
    ]  # but no test is missing: this one names the route


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("def handler(:", "is not valid Python: correct line 1"),
        ("def other(): ...", "has no function `handler`"),
        ("def handler(): ...", "is not an endpoint: decorate it with `@endpoint`"),
        ("@endpoint\ndef handler(): ...", "add `from common.http.endpoint import endpoint`"),
        ("from common.http.endpoint import Response\n@endpoint(raises=[])\ndef handler(): ...", "does not import"),
    ],
)
def test_a_file_that_is_not_an_endpoint_is_reported_with_the_reason(source: str, problem: str) -> None:
    assert problem in (not_an_endpoint(source) or "")


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_every_committed_handler_is_an_endpoint(route: Route) -> None:
    assert handler_problem(route) is None
