"""Every endpoint has its handler, sample event, place in the OpenAPI document, row in docs/api.md, objective and test.

A failure says what is missing and how to add it. CONTRIBUTING.md, "Adding an endpoint", explains each step.
"""

import pytest

from infra.alarms import read
from tools.generate.completeness import function_problems, undeployed_handlers, unused_samples, what_is_missing
from tools.handlers import deployed_functions, template_routes

WATCHED = {alarm.dimensions.get("route") for alarm in read() if alarm.metric == "Duration"}


def test_every_route_is_complete() -> None:
    unwatched = [
        f"{route} has no objective: give infra/alarms.toml a default in [objectives]."
        for route in template_routes()
        if str(route) not in WATCHED
    ]
    fail_with([*unwatched, *(sentence for route in template_routes() for sentence in what_is_missing(route))])


def test_every_function_has_its_handler_and_its_sample_event() -> None:
    fail_with([sentence for function in deployed_functions() for sentence in function_problems(function)])


def test_every_handler_and_every_sample_event_belongs_to_a_deployed_function() -> None:
    fail_with([*undeployed_handlers(), *unused_samples()])


def fail_with(sentences: list[str]) -> None:
    if sentences:
        pytest.fail("\n".join(dict.fromkeys(sentences)), pytrace=False)
