"""API Gateway's Lambda proxy contract, version 1.0: a request as an event, a function's answer as a response.

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

# Of the connection, not of the message: API Gateway keeps these to itself.
_HOP_BY_HOP = {"connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}

# Headers a function may not set: API Gateway passes them on under another name.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
_REMAPPED = {"authorization", "connection", "content-length", "content-md5", "date", "host", "server", "user-agent"}
_REMAPPED |= {"www-authenticate"}
_DROPPED = {"transfer-encoding", "upgrade", "trailer", "te", "expect"}

_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.1
_FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")

_ANSWER_KEYS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}


class MalformedAnswer(Exception):
    """The function's answer is not of the proxy contract."""


@dataclass(frozen=True)
class Request:
    """One HTTP request as it came, and what API Gateway gives every request."""

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
        """The last value of a header, whatever its case."""
        name = name.lower()
        return next((value for key, value in reversed(self.headers) if key.lower() == name), None)


@dataclass(frozen=True)
class Response:
    """One HTTP response."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


def request_context(api: Api, request: Request, resource: str | None) -> dict[str, Any]:
    """`requestContext`, before any authorizer has added to it. `resource` is None where no route was found."""
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
        context["resourceId"] = f"{hash_of(resource):06x}"
        context["resourcePath"] = resource
    return context


def hash_of(resource: str) -> int:
    """Six hexadecimal digits for a resource, the same in every process."""
    return binascii.crc32(resource.encode()) & 0xFFFFFF


def proxy_event(
    api: Api, request: Request, resource: str, path_parameters: Mapping[str, str], context: Mapping[str, Any]
) -> dict[str, Any]:
    """The event of a request, with no body in it: `add_body` puts that in, and authorizers get none."""
    headers: dict[str, str] = {}
    multi_headers: dict[str, list[str]] = {}
    spelling: dict[str, str] = {}  # a repeated header goes under the spelling it had first
    for name, value in _sent_on(request):
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
    """Puts the body in: base64 where its media type is one of the API's binary ones, text otherwise."""
    binary = bool(request.body) and is_binary(api, request.header("content-type"))
    if binary:
        event["body"] = base64.b64encode(request.body).decode()
    else:
        event["body"] = request.body.decode("utf-8", "replace") or None
    event["isBase64Encoded"] = binary


def is_binary(api: Api, media_type: str | None) -> bool:
    """Whether the API takes this Content-Type or Accept value for binary. Of several media types the first counts."""
    if not api.binary_types:
        return False
    if "*/*" in api.binary_types:
        return True
    return (media_type or "").split(",")[0].split(";")[0].strip().lower() in api.binary_types


def read_answer(api: Api, request: Request, payload: bytes) -> Response:
    """The response a function's answer stands for; raises MalformedAnswer, which API Gateway shows as a 502."""
    try:
        answer = json.loads(payload, parse_constant=_no_number)
    except ValueError:
        raise MalformedAnswer("not JSON") from None
    if not isinstance(answer, dict) or not set(answer) <= _ANSWER_KEYS:
        raise MalformedAnswer("not an object of statusCode, headers, multiValueHeaders, body and isBase64Encoded")
    given = answer.get("statusCode")
    # API Gateway takes "200" too.
    status = int(given) if isinstance(given, int | str) and str(given).isdecimal() else 0
    if not 200 <= status <= 599:  # an interim status is no answer: the client would wait on
        raise MalformedAnswer("statusCode is not an HTTP status")
    body = answer.get("body")
    if body is None:
        body = ""
    if not isinstance(body, str):
        raise MalformedAnswer("body is not a string")
    content = body.encode("utf-8", "replace")
    # Where the caller's first Accept is not a binary type, the base64 goes out as it is: a trap of REST APIs.
    if answer.get("isBase64Encoded") is True and is_binary(api, request.header("accept")):
        try:
            content = base64.b64decode(body, validate=True)
        except binascii.Error:
            raise MalformedAnswer("body is not base64") from None
    headers = _answer_headers(answer)
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    return Response(status, headers, content)


def _no_number(constant: str) -> None:
    raise ValueError(constant)  # Python's own json reads and writes NaN; JSON has none


def _answer_headers(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """`headers` and `multiValueHeaders` together; where both hold one name, multiValueHeaders has it."""
    single, multi = answer.get("headers") or {}, answer.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(multi, dict):
        raise MalformedAnswer("headers are not an object")
    multi_names = {name.lower() for name in multi}
    lines = [(name, value) for name, value in single.items() if name.lower() not in multi_names]
    for name, values in multi.items():
        if not isinstance(values, list):
            raise MalformedAnswer("multiValueHeaders holds something else than lists")
        lines += [(name, value) for value in values]
    headers = []
    for name, value in lines:
        if isinstance(value, (dict, list)):
            raise MalformedAnswer("a header is neither text nor number")
        if value is None or name.lower() in _DROPPED:
            continue
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if not _FIELD_NAME.fullmatch(name) or not _FIELD_VALUE.fullmatch(text):
            raise MalformedAnswer("a header no HTTP message could carry")
        headers.append((f"x-amzn-Remapped-{name}" if name.lower() in _REMAPPED else name, text))
    return headers


def _sent_on(request: Request) -> list[tuple[str, str]]:
    """The request's headers as the function sees them: its own, and those of the proxies on the way."""
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
