"""The event a function gets, and what becomes of its answer."""

import base64
import time
from typing import Any

from tools.conformance.behaviour import behaviour, expect, require
from tools.conformance.emulator_client import EmulatorClient

_AREA = "Proxy event and answer"
_KEYS = {
    *("resource", "path", "httpMethod", "headers", "multiValueHeaders", "queryStringParameters"),
    *("multiValueQueryStringParameters", "pathParameters", "stageVariables", "requestContext", "body"),
    "isBase64Encoded",
}


def _event(client: EmulatorClient, path: str = "/echo", **request: Any) -> dict[str, Any]:
    answer = client.http(path, **request)
    require(answer.status == 200, answer.brief())
    event = answer.json()
    require(isinstance(event, dict), answer.brief())
    found: dict[str, Any] = event
    return found


@behaviour(_AREA, "the event has the twelve keys of version 1.0, and no `version`", "proxy")
def _twelve_keys(client: EmulatorClient) -> None:
    keys = set(_event(client))
    missing, more = sorted(_KEYS - keys), sorted(keys - _KEYS)
    require(keys == _KEYS, f"missing: {missing or 'none'}, more: {more or 'none'}")


@behaviour(_AREA, "an absent query, path parameter and body are null", "proxy")
def _null_where_absent(client: EmulatorClient) -> None:
    event = _event(client)
    names = ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body")
    expect({name: event[name] for name in names if event[name] is not None}, {}, "not null:")


@behaviour(_AREA, "stage variables arrive", "proxy")
def _stage_variables(client: EmulatorClient) -> None:
    expect(_event(client)["stageVariables"], {"colour": "blue"}, "stageVariables is")


@behaviour(_AREA, "requestId, requestTime and requestTimeEpoch are each request's own", "context")
def _fresh_context(client: EmulatorClient) -> None:
    first = _event(client)["requestContext"]
    time.sleep(1.1)  # requestTime has whole seconds
    second = _event(client)["requestContext"]
    same = [key for key in ("requestId", "requestTime", "requestTimeEpoch") if first[key] == second[key]]
    expect(same, [], "the same twice:")


@behaviour(
    _AREA, "`path` has no stage, requestContext.path has, requestContext.resourcePath is the template's", "context"
)
def _paths(client: EmulatorClient) -> None:
    event = _event(client, "/echo/7")
    context = event["requestContext"]
    got = (event["path"], event["resource"], context["path"], context["resourcePath"], context["stage"])
    expect(got, ("/echo/7", "/echo/{id}", "/v1/echo/7", "/echo/{id}", "v1"), "")


@behaviour(
    _AREA,
    "of a repeated query parameter the last is in queryStringParameters and all are in the multi-value map",
    "proxy",
)
def _repeated_query(client: EmulatorClient) -> None:
    event = _event(client, "/echo?a=1&a=2&b=")
    got = (event["queryStringParameters"], event["multiValueQueryStringParameters"])
    expect(got, ({"a": "2", "b": ""}, {"a": ["1", "2"], "b": [""]}), "")


@behaviour(_AREA, "of a repeated header the last is in headers and all are in multiValueHeaders", "proxy")
def _repeated_header(client: EmulatorClient) -> None:
    event = _event(client, headers=[("X-Seat", "A1"), ("X-Seat", "A2")])
    single = {key.lower(): value for key, value in event["headers"].items()}
    multi = {key.lower(): value for key, value in event["multiValueHeaders"].items()}
    expect((single.get("x-seat"), multi.get("x-seat")), ("A2", ["A1", "A2"]), "")


@behaviour(_AREA, "query parameters arrive decoded", "known issues")
def _decoded_query(client: EmulatorClient) -> None:
    event = _event(client, "/echo?name=%EA%B9%80+%26%20co&caf%C3%A9=1")
    expect(event["queryStringParameters"], {"name": "김 & co", "café": "1"}, "")


@behaviour(_AREA, "`path` arrives as it was sent, percent-encoded", "live captures")
def _encoded_path(client: EmulatorClient) -> None:
    expect(_event(client, "/echo/caf%C3%A9%20au%20lait")["path"], "/echo/caf%C3%A9%20au%20lait", "path is")


@behaviour(_AREA, "a text body arrives as text, isBase64Encoded false", "binary")
def _text_body(client: EmulatorClient) -> None:
    sent = [("Content-Type", "application/json")]
    event = _event(client, method="POST", headers=sent, body='{"seat": "가1"}'.encode())
    expect((event["body"], event["isBase64Encoded"]), ('{"seat": "가1"}', False), "")


@behaviour(_AREA, "a body of a binary media type arrives in base64, isBase64Encoded true", "binary")
def _binary_body(client: EmulatorClient) -> None:
    picture = bytes(range(256))
    event = _event(client, method="POST", headers=[("Content-Type", "image/png")], body=picture)
    expect(event["isBase64Encoded"], True, "isBase64Encoded is")
    expect(base64.b64decode(event["body"]), picture, "the body is")


@behaviour(_AREA, "an answer with isBase64Encoded goes out decoded to a caller that accepts its binary type", "binary")
def _binary_answer(client: EmulatorClient) -> None:
    answer = client.http("/echo?answer=picture", headers=[("Accept", "image/png")])
    require(answer.body == b"\x89PNG\r\n\x1a\n", answer.brief())


@behaviour(_AREA, "multiValueHeaders of the answer are header lines of their own", "proxy")
def _repeated_answer_header(client: EmulatorClient) -> None:
    expect(client.http("/echo").all("Set-Cookie"), ["a=1", "b=2"], "Set-Cookie lines:")


@behaviour(_AREA, "WWW-Authenticate of an answer goes out as x-amzn-Remapped-WWW-Authenticate", "known issues")
def _remapped(client: EmulatorClient) -> None:
    answer = client.http("/echo?answer=challenge")
    got = (answer.status, answer.header("x-amzn-Remapped-WWW-Authenticate"), answer.header("WWW-Authenticate"))
    expect(got, (401, "Bearer", None), "")


@behaviour(_AREA, "X-Forwarded-For, -Port and -Proto and X-Amzn-Trace-Id are in the headers", "proxy")
def _forwarded_headers(client: EmulatorClient) -> None:
    names = {name.lower() for name in _event(client)["headers"]}
    wanted = {"x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id"}
    expect(sorted(wanted - names), [], "missing:")
