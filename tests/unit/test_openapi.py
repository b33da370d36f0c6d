"""The OpenAPI document matches the handlers: generating it again changes nothing, and it describes what they accept."""

import copy
import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from pydantic import TypeAdapter
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]
from schemathesis import GenerationMode

from common.domain.model import Text
from common.domain.shared_errors import DomainError
from common.http.request import Body, Path, Query, Request, parse_body, parse_path, parse_query
from tools.attack.date_times import register_date_times
from tools.openapi.contract import contract
from tools.openapi.document import PATH, document, text
from tools.openapi.routes import ROOT, IncompleteRoute, Route, routes


def incomplete() -> str | None:
    """Why a route's handler or sample event cannot be read."""
    try:
        for route in routes():
            assert route.operation
            assert route.sample
    except IncompleteRoute as reason:
        return str(reason)
    return None


if reason := incomplete():  # in place of a traceback
    pytest.fail(reason, pytrace=False)

ROUTES = {route.name: route for route in routes()}
COMMITTED = json.loads(PATH.read_text(encoding="utf-8"))
register_date_times()


def test_the_committed_document_is_what_the_handlers_declare() -> None:
    assert PATH.read_text(encoding="utf-8") == text(document(routes())), "run `make generate`"


def test_the_document_is_openapi() -> None:
    validate(COMMITTED)


# -- the handlers accept what the document allows ----------------------------------------------------------------------

MODES = {"valid": GenerationMode.POSITIVE, "invalid": GenerationMode.NEGATIVE}
# A schema cannot express a rule about several fields at once, or about bytes.
MORE_THAN_A_SCHEMA = {
    "password": "10 to 72 bytes with a letter and a digit",
    "newPassword": "10 to 72 bytes with a letter and a digit",
    "agreements": "each code once",
    "seatTemplate": "section names differ, 100,000 seats at most",
}


def routes_with(*kinds: type) -> list[str]:
    return [name for name, route in ROUTES.items() if any(route.operation.taken(kind) for kind in kinds)]


def only(*parts: str) -> Any:
    """The document with no other inputs than `parts`: in the mode "invalid" one of these is wrong."""
    document = copy.deepcopy(COMMITTED)
    for path in document["paths"].values():
        for operation in path.values():
            operation["parameters"] = [each for each in operation.get("parameters", ()) if each["in"] in parts]
            if "body" not in parts:
                operation.pop("requestBody", None)
    return schemathesis.openapi.from_dict(document)


PARAMETERS, BODIES = only("path", "query"), only("path", "body")


def event_of(case: Any) -> dict[str, Any]:
    """The proxy event that the gateway would make of it."""
    sent = requests.Request(**case.as_transport_kwargs(base_url="http://api")).prepare()
    body = sent.body.decode("utf-8", "replace") if isinstance(sent.body, bytes) else sent.body
    return {
        "body": body,
        "headers": {"Content-Type": "application/json"},
        "queryStringParameters": dict(parse_qsl(urlsplit(sent.url or "").query, keep_blank_values=True)),
        "pathParameters": {name: str(value) for name, value in (case.path_parameters or {}).items()},
    }


def rejected_fields(parse: Any, kind: type, event: dict[str, Any]) -> list[str] | None:
    """The invalid fields; None if the request was accepted."""
    try:
        parse(kind, Request.of(event))
    except DomainError as error:
        return [fault["field"] for fault in error.details] if error.details else [error.code]
    return None


def as_kept(part: Any) -> Any:
    """A body with its text as `common.domain.model.Text` keeps it, without spaces around it."""
    if isinstance(part, str):
        return TypeAdapter(Text).validate_python(part).strip()
    if isinstance(part, dict):
        return {name: as_kept(value) for name, value in part.items()}
    return [as_kept(each) for each in part] if isinstance(part, list) else part


def each_case(route: Route, sent: Any, mode: GenerationMode, check: Any, examples: int = 8) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=sent[route.path][route.method].as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        check(case)

    run()


@pytest.mark.parametrize("name", routes_with(Query, Path))
def test_parameters_that_the_document_allows_are_accepted(name: str) -> None:
    route = ROUTES[name]

    def check(case: Any) -> None:
        event = event_of(case)
        for base, parse in ((Query, parse_query), (Path, parse_path)):
            kind = route.operation.taken(base)
            assert kind is None or rejected_fields(parse, kind, event) is None, event

    each_case(route, PARAMETERS, GenerationMode.POSITIVE, check)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", routes_with(Body))
def test_a_body_is_accepted_if_and_only_if_the_document_allows_it(name: str, mode: str) -> None:
    route = ROUTES[name]
    kind = route.operation.taken(Body)
    assert kind is not None
    content = COMMITTED["paths"][route.path][route.method.lower()]["requestBody"]["content"]
    allowed = jsonschema_rs.validator_for(
        {**content["application/json"]["schema"], "components": COMMITTED["components"]}, validate_formats=True
    )

    def check(case: Any) -> None:
        event = event_of(case)
        try:
            sent = json.loads(event["body"] or "")
        except ValueError:
            assert rejected_fields(parse_body, kind, event) is not None
            return
        at_fault = rejected_fields(parse_body, kind, event)
        if allowed.is_valid(sent):
            assert all(field in MORE_THAN_A_SCHEMA for field in at_fault or ()), (at_fault, sent)
        else:
            # Lengths are those of the text that is kept.
            assert at_fault is not None or allowed.is_valid(as_kept(sent)), sent

    each_case(route, BODIES, MODES[mode], check)


@pytest.mark.parametrize("name", routes_with(Body))
def test_the_example_of_a_body_is_accepted(name: str) -> None:
    kind = ROUTES[name].operation.taken(Body)
    assert kind is not None
    sample = ROUTES[name].sample
    assert sample["body"]
    parse_body(kind, Request.of(sample))


def test_lone_surrogates_and_duplicate_keys_have_one_meaning() -> None:
    login = next(route for route in ROUTES.values() if route.path == "/auth/login").operation.taken(Body)
    assert login is not None
    body = '{"email": "a@example.com", "password": "x", "captchaToken": "x", "email": "b@example.com"}'
    assert parse_body(login, Request.of({"body": body})).email == "b@example.com"  # type: ignore[attr-defined]
    with pytest.raises(DomainError):
        parse_body(login, Request.of({"body": body.replace("b@", "\\ud800@")}))


# -- the document matches docs/api.md ----------------------------------------------------------------------------------


def test_the_document_has_every_route_and_response_of_docs_api() -> None:
    shapes = {
        (method.upper(), re.sub(r"{\w+}", "{}", path)): operation
        for path, methods in COMMITTED["paths"].items()
        for method, operation in methods.items()
    }
    missing = []
    rows = list(contract())
    assert len(rows) > 30
    for operations, access, described in ((row.operations, row.access, row.responses) for row in rows):
        there = [shapes.get((method, re.sub(r"{\w+}", "{}", path))) for method, path in operations]
        missing += [f"{method} {path}" for (method, path), found in zip(operations, there, strict=True) if not found]
        responses = [operation["responses"] for operation in there if operation]
        for operation in filter(None, there):
            assert bool(operation.get("security")) == (access[0] in "UA"), operations
            assert access != "A" or "403" in operation["responses"], operations
        for status, codes in re.findall(r"(?<![\w-])([2-5]\d\d)\b((?: `[A-Z_]+`)*)", described):
            of_status = [each[status] for each in responses if status in each]
            if responses and not of_status:
                missing.append(f"{operations}: {status}")
            known = set().union(*map(_codes, of_status)) if of_status else set()
            missing += [f"{operations}: {status} {code}" for code in re.findall("[A-Z_]+", codes) if code not in known]
    assert missing == [], "docs/api.md names these, and the OpenAPI document does not: correct one of the two"


def _codes(response: dict[str, Any]) -> set[str]:
    name = response.get("$ref", "").removeprefix("#/components/responses/")
    return set(re.findall("[A-Z_]{2,}", json.dumps(COMMITTED["components"]["responses"].get(name, response))))


def test_the_gateways_own_errors_are_in_the_document() -> None:
    """Every error of the gateway itself has a code that some operation documents with the same status."""
    template = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    errors = [
        (answer["StatusCode"], re.findall(r'"code": "([A-Z_]+)"', answer["ResponseTemplates"]["application/json"]))
        for answer in template["Resources"]["Api"]["Properties"]["GatewayResponses"].values()
        if "StatusCode" in answer
    ]
    named = [(status, codes[0]) for status, codes in errors if codes]  # the authorizer's responses have their own
    assert len(named) > 5
    for status, code in named:
        documented = [name for name in COMMITTED["components"]["responses"] if name.startswith(f"{status}.")]
        assert any(code in name.split(".") for name in documented), (status, code)
