"""Builds the OpenAPI 3.1 document from the routes, deterministically (https://spec.openapis.org/oas/v3.1.1)."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from itertools import groupby
from types import NoneType
from typing import Any, get_args

from common.domain.model import Model
from common.http.endpoint import Response
from common.http.error_catalogue import ERROR_CATALOGUE
from common.http.request import Body, Path, Query
from tools.openapi.routes import ROOT, Route
from tools.openapi.schemas import Mode, Schema, Schemas

PATH = ROOT / "functions" / "gateway" / "openapi.json"

# API Gateway's own error, when a function does not answer in time.
TIMEOUT = ("TIMEOUT", 504)

ABOUT = """\
A ticket on-sale platform: accounts, waiting room, seat hold, payment, confirmed ticket.

Ids are UUIDv7, times RFC 3339 in UTC, amounts whole won. Every error has one shape, `Error`; its `message`
follows `Accept-Language` (ko, en). Every response has `X-Trace-Id`: the request's own if that was a UUID."""

ERROR: Schema = {
    "type": "object",
    "required": ["code", "message", "timestamp", "traceId"],
    "properties": {
        "code": {"type": "string", "description": "for programs"},
        "message": {"type": "string", "description": "for people; Korean unless English is preferred"},
        "timestamp": {"type": ["string", "null"], "format": "date-time"},
        "traceId": {"type": "string", "format": "uuid"},
        "details": {"description": "VALIDATION_ERROR: each field and its reason; otherwise depends on the code"},
    },
}

TAGS = {
    "auth": "Accounts, login, the user's own account",
    "events": "Venues, halls, events, seats",
    "queue": "The waiting room",
    "reservations": "Holds, reservations, tickets",
    "payments": "Payments",
    "gateway": "The API itself",
}


class IncompleteOperation(Exception):
    """A handler's declaration is incomplete."""


def _header(name: str, description: str, schema: Schema | None = None, *, required: bool = False) -> Schema:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": schema or {"type": "string"},
    }


TRACE_ID = _header("X-Trace-Id", "A UUID to trace this request; any other value is replaced")
LANGUAGE = _header("Accept-Language", "ko (default) or en")
# The headers that an operation reads, by an error that it can raise.
HEADERS_BY_ERROR = {
    "QUEUE_TOKEN_MISSING": [
        _header(
            "X-Queue-Token",
            "`qr_…` to see and hold seats, `qp_…` to pay",
            {"type": "string", "pattern": "^q[rp]_[0-9a-f]{32}_[0-9a-f]{32}_[A-Za-z0-9_-]{32}$"},
            required=True,
        )
    ],
    "SIGNATURE_INVALID": [
        _header(name, "Standard Webhooks", required=True)
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    ],
    "PRECONDITION_FAILED": [_header("If-Match", "The ETag of the version that was changed")],
    "CAPTCHA_REQUIRED": [
        _header(
            "X-Device-Fingerprint",
            "The same on every call of one device: 16 to 128 of A-Z a-z 0-9 _ . -; without it, trust is lower",
        ),
        _header("X-Captcha-Token", "The token of a solved captcha, after CAPTCHA_REQUIRED"),
    ],
}
IF_NONE_MATCH = _header("If-None-Match", "The ETag of the version the client has: 304 if it is still current")

HEADERS = {
    "X-Trace-Id": {"required": True, "schema": {"type": "string", "format": "uuid"}},
    "Retry-After": {"description": "seconds", "schema": {"type": "integer", "minimum": 1}},
    "X-RateLimit-Limit": {"description": "requests a minute", "schema": {"type": "integer"}},
    "X-RateLimit-Remaining": {"description": "requests that may be sent now", "schema": {"type": "integer"}},
    "ETag": {"schema": {"type": "string"}},
}
HEADERS_TOO_LARGE: Schema = {
    "description": "More than 10 KB of path, query and headers: rejected by API Gateway, with a text of its own",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}
COUNTED = ("X-RateLimit-Limit", "X-RateLimit-Remaining")


def document(routes: Sequence[Route]) -> Schema:
    schemas = Schemas(_used(routes))
    errors_by_name: dict[str, Schema] = {}
    paths = {
        path: {route.method.lower(): _operation(route, schemas, errors_by_name) for route in of_path}
        for path, of_path in groupby(routes, key=lambda route: route.path)
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Ticketing",
            "version": project["version"],
            "description": ABOUT,
            "license": {"name": project["license"], "identifier": project["license"]},
        },
        "servers": [{"url": "."}],
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "headers": HEADERS,
            "responses": dict(sorted({**errors_by_name, "431": HEADERS_TOO_LARGE}.items())),
            "schemas": {"Error": ERROR} | schemas.reachable(paths),
        },
    }


def text(made: Schema) -> str:
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def _used(routes: Iterable[Route]) -> Iterator[tuple[type[Model], Mode]]:
    for route in routes:
        for base in (Body, Query, Path):
            kind = route.operation.taken(base)
            if kind:
                yield kind, "validation"
        for bodies in _response_bodies(route).values():
            yield from ((kind, "serialization") for kind in bodies if isinstance(kind, type))


def _operation(route: Route, schemas: Schemas, errors_by_name: dict[str, Schema]) -> Schema:
    summary, _, description = route.documentation.partition("\n\n")
    made: Schema = {"operationId": route.name, "tags": [route.service], "summary": " ".join(summary.split())}
    if description:
        made["description"] = description
    if not route.public:
        made["security"] = [{"bearer": []}]
    made["parameters"] = _parameters(route, schemas)
    body = _request_body(route, schemas)
    if body:
        made["requestBody"] = body
    made["responses"] = _responses(route, schemas, errors_by_name)
    return made


def _parameters(route: Route, schemas: Schemas) -> list[Schema]:
    made = []
    for base, place, sampled in ((Path, "path", "pathParameters"), (Query, "query", "queryStringParameters")):
        kind = route.operation.taken(base)
        if kind is None:
            continue
        definition = schemas.definition(kind, "validation")
        samples = route.sample.get(sampled) or {}
        for name, schema in definition.get("properties", {}).items():
            parameter = {"name": name, "in": place, "required": name in definition.get("required", ())}
            parameter["schema"] = _never_null(schema)
            if name in samples:
                parameter["example"] = _typed(samples[name])
            made.append(parameter)
    if re.findall(r"{(\w+)}", route.path) != [each["name"] for each in made if each["in"] == "path"]:
        raise IncompleteOperation(f"{route.name}: the variables of its Path are not those of {route.path}")
    codes = {error.code for error in route.operation.errors()}
    made += [parameter for code, read in HEADERS_BY_ERROR.items() if code in codes for parameter in read]
    if HTTPStatus.NOT_MODIFIED in route.operation.responses:
        made.append(IF_NONE_MATCH)
    return [*made, TRACE_ID, LANGUAGE]


def _never_null(schema: Schema) -> Schema:
    """The schema of an optional parameter, without null: a query string has no null."""
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    return kinds[0] | {key: value for key, value in schema.items() if key != "anyOf"} if len(kinds) == 1 else schema


def _typed(sample: str) -> Any:
    return int(sample) if sample.isdecimal() else sample


def _request_body(route: Route, schemas: Schemas) -> Schema | None:
    kind = route.operation.taken(Body)
    if kind is None:
        # A signed body is read as raw text.
        signed = any(error.code == "SIGNATURE_INVALID" for error in route.operation.raises)
        return {"content": {"application/json": {"schema": {"type": "object"}}}} if signed else None
    content: Schema = {"schema": schemas.reference(kind, "validation")}
    if route.sample.get("body"):
        content["example"] = json.loads(route.sample["body"])
    required = kind in route.operation.parameters.values()  # not `LogoutBody | None`
    return {"required": required, "content": {"application/json": content}}


def _response_bodies(route: Route) -> dict[int, tuple[type[Model] | str | None, ...]]:
    """The possible bodies by status: a model, a media type or None."""
    returns = route.operation.returns
    kinds = tuple(kind for kind in get_args(returns) or (returns,) if kind is not Response)
    found: dict[int, tuple[type[Model] | str | None, ...]] = {}
    if any(kind in (None, NoneType) for kind in kinds):
        found[204] = (None,)
    models = tuple(kind for kind in kinds if kind not in (None, NoneType))
    if models:
        found[200] = models
    found |= {status: (*found.get(status, ()), kind) for status, kind in route.operation.responses.items()}
    if not found:
        raise IncompleteOperation(f"{route.name} returns a Response without declaring its possible bodies")
    return dict(sorted(found.items()))


def _responses(route: Route, schemas: Schemas, errors_by_name: dict[str, Schema]) -> Schema:
    made: Schema = {}
    for status, kinds in _response_bodies(route).items():
        named = ["X-Trace-Id", *(COUNTED if route.operation.limit else ())]
        if HTTPStatus.NOT_MODIFIED in route.operation.responses and status in (200, 304):
            named.append("ETag")
        made[str(status)] = {"description": HTTPStatus(status).phrase, "headers": _headers(named)}
        content = _content(kinds, schemas)
        if content:
            made[str(status)]["content"] = content
    declared = [(error.code, ERROR_CATALOGUE[error.code].status) for error in route.operation.errors()]
    errors = sorted([*declared, TIMEOUT], key=lambda error: (error[1], error[0]))
    for error_status, of_status in groupby(errors, key=lambda error: error[1]):
        codes = list(dict.fromkeys(code for code, _ in of_status))
        # A response with the status of an error (health's 503) may have either body.
        if str(error_status) in made:
            shown = made[str(error_status)]["content"]["application/json"]
            shown["schema"] = {"anyOf": [shown["schema"], _error(codes)]}
            continue
        name = ".".join([str(error_status), *codes])
        errors_by_name[name] = _error_response(error_status, codes)
        made[str(error_status)] = {"$ref": f"#/components/responses/{name}"}
    made["431"] = {"$ref": "#/components/responses/431"}
    return dict(sorted(made.items()))


def _content(kinds: Sequence[type[Model] | str | None], schemas: Schemas) -> Schema:
    made: Schema = {}
    models = [schemas.reference(kind, "serialization") for kind in kinds if isinstance(kind, type)]
    if models:
        made["application/json"] = {"schema": models[0] if len(models) == 1 else _union(models, schemas)}
    for kind in kinds:
        if isinstance(kind, str):
            made[kind] = {"schema": {"type": "string"}} if kind.startswith("text/") else {}
    return made


def _union(models: Sequence[Schema], schemas: Schemas) -> Schema:
    """One of several models, which a client tells apart by the constant that all of them have."""
    constants = [
        {name: schema["const"] for name, schema in schemas.named(each)["properties"].items() if "const" in schema}
        for each in models
    ]
    (name,) = set.intersection(*map(set, constants))
    mapping = {values[name]: each["$ref"] for values, each in zip(constants, models, strict=True)}
    return {"oneOf": list(models), "discriminator": {"propertyName": name, "mapping": mapping}}


def _error_response(status: int, codes: Sequence[str]) -> Schema:
    named = ["X-Trace-Id"]
    if status in (429, 503):
        named.append("Retry-After")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        named += COUNTED
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(codes)}",
        "headers": _headers(named),
        "content": {"application/json": {"schema": _error(codes)}},
    }


def _error(codes: Sequence[str]) -> Schema:
    return {"allOf": [{"$ref": "#/components/schemas/Error"}, {"properties": {"code": {"enum": list(codes)}}}]}


def _headers(names: Iterable[str]) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
