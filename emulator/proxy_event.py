"""API Gateway's Lambda proxy contract, version 1.0: a request as an event, a function's result as a response.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import binascii
import json
import re
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from emulator.stack import Api

# Headers of the connection, not of the message: API Gateway does not pass them on.
_HOP_BY_HOP = {"connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}

# Headers a function cannot set: API Gateway renames them.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
_REMAPPED = {"authorization", "connection", "content-length", "content-md5", "date", "host", "server", "user-agent"}
_REMAPPED |= {"www-authenticate"}
_DROPPED = {"transfer-encoding", "upgrade", "trailer", "te", "expect"}

_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.1
_FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")

_RESPONSE_KEYS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}


class MalformedResponse(Exception):
    """The function's result does not follow the proxy contract."""


@dataclass(frozen=True)
class Request:
    """One HTTP request as received, with the ids that API Gateway adds."""

    method: str
    path: str  # percent-encoded, as sent
    query: str  # as sent, without the "?"
    headers: Sequence[tuple[str, str]]  # every line, names as sent
    body: bytes
    source_ip: str
    protocol: str = "HTTP/1.1"
    scheme: str = "http"
    port: str = "80"
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    extended_id: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(11)).decode())
    trace_root: str = field(default_factory=lambda: f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}")
    time: float = field(default_factory=time.time)  # epoch seconds

    def header(self, name: str) -> str | None:
        """The last value of a header; the name is case-insensitive."""
        name = name.lower()
        return next((value for key, value in reversed(self.headers) if key.lower() == name), None)


@dataclass(frozen=True)
class Response:
    """One HTTP response."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


def request_context(api: Api, request: Request, resource: str | None) -> dict[str, Any]:
    """`requestContext`, before an authorizer adds to it. `resource` is None if no route matches."""
    domain = f"{api.api_id}.execute-api.{api.region}.amazonaws.com"
    context = {
        "accountId": api.account,
        "apiId": api.api_id,
        "deploymentId": f"{api.api_id[:6]}",
        "domainName": domain,
        "domainPrefix": api.api_id,
        "extendedRequestId": request.extended_id,
        "httpMethod": request.method,
        "identity": {
            "accessKey": None,
            "accountId": None,
            "caller": None,
            "cognitoAuthenticationProvider": None,
            "cognitoAuthenticationType": None,
            "cognitoIdentityId": None,
            "cognitoIdentityPoolId": None,
            "principalOrgId": None,
            "sourceIp": request.source_ip,
            "user": None,
            "userAgent": request.header("user-agent"),
            "userArn": None,
        },
        "path": f"/{api.stage}{request.path}",
        "protocol": request.protocol,
        "requestId": request.request_id,
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(request.time)),
        "requestTimeEpoch": int(request.time * 1000),
        "stage": api.stage,
    }
    if resource is not None:
        context["resourceId"] = f"{resource_hash(resource):06x}"
        context["resourcePath"] = resource
    return context


def resource_hash(resource: str) -> int:
    """Six hexadecimal digits for a resource, the same in every process."""
    return binascii.crc32(resource.encode()) & 0xFFFFFF


def proxy_event(
    api: Api, request: Request, resource: str, path_parameters: Mapping[str, str], context: Mapping[str, Any]
) -> dict[str, Any]:
    """The event of a request, without its body: `add_body` adds it, and authorizers get none."""
    headers: dict[str, str] = {}
    multi_headers: dict[str, list[str]] = {}
    spelling: dict[str, str] = {}  # a repeated header keeps its first spelling
    for name, value in _forwarded_headers(request):
        name = spelling.setdefault(name.lower(), name)
        headers[name] = value
        multi_headers.setdefault(name, []).append(value)
    query: dict[str, str] = {}
    multi_query: dict[str, list[str]] = {}
    for key, value in parse_qsl(request.query, keep_blank_values=True):
        query[key] = value
        multi_query.setdefault(key, []).append(value)
    return {
        "resource": resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": headers or None,
        "multiValueHeaders": multi_headers or None,
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": multi_query or None,
        "pathParameters": dict(path_parameters) or None,
        "stageVariables": dict(api.variables) or None,
        "requestContext": context,
    }


def add_body(event: dict[str, Any], api: Api, request: Request) -> None:
    """Adds the body: base64 if its media type is one of the API's binary types, else text."""
    binary = bool(request.body) and is_binary(api, request.header("content-type"))
    if binary:
        event["body"] = base64.b64encode(request.body).decode()
    else:
        event["body"] = request.body.decode("utf-8", "replace") or None
    event["isBase64Encoded"] = binary


def is_binary(api: Api, media_type: str | None) -> bool:
    """Whether a Content-Type or Accept value is a binary type of the API. The first of several media types counts."""
    if not api.binary_types:
        return False
    if "*/*" in api.binary_types:
        return True
    return (media_type or "").split(",")[0].split(";")[0].strip().lower() in api.binary_types


def read_response(api: Api, request: Request, payload: bytes) -> Response:
    """The HTTP response in a function's result; raises MalformedResponse, for which API Gateway returns a 502."""
    try:
        result = json.loads(payload, parse_constant=_reject_constant)
    except ValueError:
        raise MalformedResponse("not JSON") from None
    if not isinstance(result, dict) or not set(result) <= _RESPONSE_KEYS:
        raise MalformedResponse("not an object of statusCode, headers, multiValueHeaders, body and isBase64Encoded")
    given = result.get("statusCode")
    # API Gateway accepts "200" too.
    status = int(given) if isinstance(given, int | str) and str(given).isdecimal() else 0
    if not 200 <= status <= 599:  # a 1xx status is not a response: the client would keep waiting
        raise MalformedResponse("statusCode is not an HTTP status")
    body = result.get("body")
    if body is None:
        body = ""
    if not isinstance(body, str):
        raise MalformedResponse("body is not a string")
    content = body.encode("utf-8", "replace")
    # If the first type in Accept is not binary, the base64 is sent undecoded, as REST APIs do.
    if result.get("isBase64Encoded") is True and is_binary(api, request.header("accept")):
        try:
            content = base64.b64decode(body, validate=True)
        except binascii.Error:
            raise MalformedResponse("body is not base64") from None
    headers = _response_headers(result)
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    return Response(status, headers, content)


def _reject_constant(constant: str) -> None:
    raise ValueError(constant)  # NaN: valid for Python's json, not in JSON


def _response_headers(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """`headers` and `multiValueHeaders` together; if both have a name, multiValueHeaders wins."""
    single, multi = result.get("headers") or {}, result.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(multi, dict):
        raise MalformedResponse("headers are not an object")
    multi_names = {name.lower() for name in multi}
    lines = [(name, value) for name, value in single.items() if name.lower() not in multi_names]
    for name, values in multi.items():
        if not isinstance(values, list):
            raise MalformedResponse("a value of multiValueHeaders is not a list")
        lines += [(name, value) for value in values]
    headers = []
    for name, value in lines:
        if isinstance(value, (dict, list)):
            raise MalformedResponse("a header is neither text nor a number")
        if value is None or name.lower() in _DROPPED:
            continue
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if not _FIELD_NAME.fullmatch(name) or not _FIELD_VALUE.fullmatch(text):
            raise MalformedResponse("a header is not valid in HTTP")
        headers.append((f"x-amzn-Remapped-{name}" if name.lower() in _REMAPPED else name, text))
    return headers


def _forwarded_headers(request: Request) -> list[tuple[str, str]]:
    """The headers that the function gets: the client's, and those that proxies add."""
    kept = []
    forwarded = []
    trace = None
    for name, value in request.headers:
        lower = name.lower()
        if lower == "x-forwarded-for":
            forwarded.append(value)
        elif lower == "x-amzn-trace-id":
            trace = value
        elif lower not in _HOP_BY_HOP and lower not in ("x-forwarded-port", "x-forwarded-proto"):
            kept.append((name, value))
    forwarded.append(request.source_ip)
    kept.append(("X-Amzn-Trace-Id", trace or request.trace_root))
    kept.append(("X-Forwarded-For", ", ".join(forwarded)))
    kept.append(("X-Forwarded-Port", request.port))
    kept.append(("X-Forwarded-Proto", request.scheme))
    return kept
