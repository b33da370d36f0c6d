"""Builds the sample event of a function from its triggers in template.yaml and its handler's parameters."""

import json
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any
from urllib.parse import quote

from common.domain.model import Model
from common.domain.shared_errors import DomainError, InvalidInput
from common.http.request import Admin, Body, Path, Query, Request, parse_body, parse_path, parse_query
from tools.generate.examples import IDS, example_of
from tools.handlers import ROOT, DeployedFunction, deployed_functions
from tools.openapi.routes import Route

Event = dict[str, Any]
Notes = list[str]  # what a person must correct in the event, one sentence each

TRACE_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
SERVICE_KEY = "00000000-0000-4000-8000-000000000000"  # a placeholder
HEADERS = {
    "Accept": "application/json",
    "Accept-Language": "ko",
    "Host": "api.example.com",
    "Origin": "http://localhost:3000",
    "User-Agent": "sam-local",
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Proto": "https",
}
IDENTITY = dict.fromkeys(
    (
        *("accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType"),
        *("cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "sourceIp", "user", "userAgent", "userArn"),
    )
)


class NoSample(Exception):
    """No sample event can be made. The message says why, and what a person must write."""


def sample_event(function: DeployedFunction, routes: Iterable[Route]) -> tuple[Event, Notes]:
    """The event, and what a person must correct in it. Raises NoSample."""
    name = function.sample.relative_to(ROOT)
    for route in routes:
        if route.function.logical_id == function.logical_id:
            return proxy_event(route)
    if function.triggered_by("MSK"):
        return _like_another(function, "MSK"), [
            f"{name} is a copy of another consumer's sample: write the messages that this one consumes into `value`."
        ]
    if function.triggered_by("ScheduleV2"):
        return _like_another(function, "ScheduleV2"), []
    if not function.triggers and (request := _internal_request(function)):
        return _internal_event(function, request)
    raise NoSample(
        f"{function.logical_id} has no trigger in template.yaml from which a sample could be made: write {name}."
    )


def proxy_event(route: Route) -> tuple[Event, Notes]:
    """The event that API Gateway sends (proxy event, version 1.0)."""
    operation = route.operation
    headers = dict(HEADERS)
    body = operation.taken(Body)
    if body:
        headers["Content-Type"] = "application/json"
    if not route.public:
        headers["Authorization"] = "Bearer <access token>"
    if any(error.code == "QUEUE_TOKEN_MISSING" for error in operation.errors()):
        headers["X-Queue-Token"] = f"qr_{_bare('eventId')}_{_bare('userId')}_{'A' * 32}"
    variables = _path_variables(route, operation.taken(Path))
    kind = operation.taken(Query)
    query = _texts(example_of(kind)) if kind else None
    path = route.path
    for name, value in (variables or {}).items():
        path = path.replace(f"{{{name}}}", quote(value))
    event: Event = {
        "resource": route.path,
        "path": path,
        "httpMethod": route.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": query and {name: [value] for name, value in query.items()},
        "pathParameters": variables,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "extendedRequestId": "Yx0sEGJ4oE0FQZA=",
            "httpMethod": route.method,
            "identity": {**IDENTITY, "sourceIp": "203.0.113.7", "userAgent": "sam-local"},
            "path": f"/local{path}",
            "protocol": "HTTP/1.1",
            "requestId": TRACE_ID,
            "requestTime": "22/Nov/2026:07:00:00 +0000",
            "requestTimeEpoch": 1795330800000,
            "resourceId": "r3s0rc",
            "resourcePath": route.path,
            "stage": "local",
        },
        "body": json.dumps(example_of(body), ensure_ascii=False) if body else None,
        "isBase64Encoded": False,
    }
    if not route.public:
        event["requestContext"]["authorizer"] = {
            "principalId": IDS["userId"],
            "integrationLatency": 12,
            "sub": IDS["userId"],
            "role": "ADMIN" if operation.taken(Admin) else "USER",
            "sid": "019a9f3e-5c00-7000-8000-0000000000bb",
            "jti": "01900000-0000-7000-8000-0000000000b1",
            "exp": "1795334400",
        }
    return event, list(_rejections(route, event))


def _rejections(route: Route, event: Event) -> Iterable[str]:
    """What the handler's models reject in the event: rules that are not in the JSON Schema."""
    request, name = Request.of(event), route.function.sample.relative_to(ROOT)
    for base, parse in ((Path, parse_path), (Query, parse_query), (Body, parse_body)):
        kind = route.operation.taken(base)
        try:
            if kind:
                parse(kind, request)
        except InvalidInput as error:
            for fault in error.details:
                yield f"{name}: write a `{fault['field']}` that is accepted ({fault['reason']})."
        except DomainError as error:
            yield f"{name}: correct the {base.__name__.lower()} ({error.code})."


def _path_variables(route: Route, kind: type[Model] | None) -> dict[str, str] | None:
    if kind is None:
        return None
    variables = _texts(example_of(kind))
    resource = route.path.split("/{id}")[0].rpartition("/")[2]  # `venues` in /venues/{id}
    if "id" in variables:
        variables["id"] = IDS.get(f"{resource.removesuffix('s')}Id", variables["id"])
    return variables


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def _bare(name: str) -> str:
    return IDS[name].replace("-", "")


def _internal_request(function: DeployedFunction) -> type[Model] | None:
    """The request model of an internal call; None for other handlers. Raises NoSample if it cannot be imported."""
    file = function.file.relative_to(ROOT)
    if not function.file.exists():
        raise NoSample(f"{function.logical_id}: template.yaml names {function.module}.handler, so write {file}.")
    try:
        handler = getattr(import_module(function.module), "handler", None)
    except Exception as error:
        raise NoSample(f"{function.logical_id}: {file} cannot be imported: {type(error).__name__}: {error}.") from error
    kinds = getattr(getattr(handler, "__wrapped__", None), "__annotations__", {})
    first = next(iter(kinds.values()), None)
    return first if isinstance(first, type) and issubclass(first, Model) else None


def _internal_event(function: DeployedFunction, request: type[Model]) -> tuple[Event, Notes]:
    called_by = {"Ref": function.logical_id}
    callers = [each.service for each in deployed_functions() if called_by in (each.variables or {}).values()]
    notes = []
    if not callers:
        notes = [
            f"{function.sample.relative_to(ROOT)}: no function calls {function.logical_id} yet: "
            "set `X-Service` to the service that will."
        ]
    service = (callers or [function.service])[0]
    headers = {"X-Service": service, "X-Service-Api-Key": SERVICE_KEY, "X-Trace-Id": TRACE_ID}
    return {"headers": headers, "body": example_of(request)}, notes


def _like_another(function: DeployedFunction, kind: str) -> Event:
    """The sample of another function with such a trigger; for a consumer, preferably one of the same topic."""
    topics = [each.get("Topics") for each in function.triggered_by(kind)]
    others = [
        each
        for each in deployed_functions()
        if each.logical_id != function.logical_id and each.triggered_by(kind) and each.sample.exists()
    ]
    if not others:
        raise NoSample(f"{function.logical_id}: no sample event of such a function exists to copy: write one.")
    others.sort(key=lambda each: [other.get("Topics") for other in each.triggered_by(kind)] != topics)
    copied: Event = json.loads(others[0].sample.read_text(encoding="utf-8"))
    return copied
