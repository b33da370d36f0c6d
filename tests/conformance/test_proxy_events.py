"""The event that a function receives, and what becomes of its answer."""

import base64
import time
from typing import Any

from tools.conformance.emulator_client import EmulatorClient

_KEYS = {
    *("resource", "path", "httpMethod", "headers", "multiValueHeaders", "queryStringParameters"),
    *("multiValueQueryStringParameters", "pathParameters", "stageVariables", "requestContext", "body"),
    "isBase64Encoded",
}


def _event(client: EmulatorClient, path: str = "/echo", **request: Any) -> dict[str, Any]:
    answer = client.http(path, **request)
    assert answer.status == 200, answer.brief()
    event = answer.json()
    assert isinstance(event, dict), answer.brief()
    return event


def test_keys(client: EmulatorClient) -> None:
    """the event has the twelve keys of version 1.0, and no `version` ([proxy])"""
    keys = set(_event(client))
    missing, more = sorted(_KEYS - keys), sorted(keys - _KEYS)
    assert keys == _KEYS, f"missing: {missing or 'none'}, more: {more or 'none'}"


def test_absent_parts(client: EmulatorClient) -> None:
    """an absent query, path parameter and body are null ([proxy])"""
    event = _event(client)
    names = ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body")
    got = {name: event[name] for name in names if event[name] is not None}
    assert got == {}, f"not null: {got!r}"


def test_stage_variables(client: EmulatorClient) -> None:
    """stage variables arrive ([proxy])"""
    got = _event(client)["stageVariables"]
    assert got == {"colour": "blue"}, f"stageVariables is {got!r}"


def test_request_context(client: EmulatorClient) -> None:
    """requestId, requestTime and requestTimeEpoch are each request's own ([context])"""
    first = _event(client)["requestContext"]
    time.sleep(1.1)  # requestTime has whole seconds
    second = _event(client)["requestContext"]
    same = [key for key in ("requestId", "requestTime", "requestTimeEpoch") if first[key] == second[key]]
    assert same == [], f"the same twice: {same!r}"


def test_paths(client: EmulatorClient) -> None:
    """`path` has no stage, requestContext.path has, requestContext.resourcePath is the template's ([context])"""
    event = _event(client, "/echo/7")
    context = event["requestContext"]
    got = (event["path"], event["resource"], context["path"], context["resourcePath"], context["stage"])
    assert got == ("/echo/7", "/echo/{id}", "/v1/echo/7", "/echo/{id}", "v1"), f"{got!r}"


def test_repeated_query(client: EmulatorClient) -> None:
    """of a repeated query parameter the last is in queryStringParameters and all are in the multi-value map
    ([proxy])"""
    event = _event(client, "/echo?a=1&a=2&b=")
    got = (event["queryStringParameters"], event["multiValueQueryStringParameters"])
    assert got == ({"a": "2", "b": ""}, {"a": ["1", "2"], "b": [""]}), f"{got!r}"


def test_repeated_header(client: EmulatorClient) -> None:
    """of a repeated header the last is in headers and all are in multiValueHeaders ([proxy])"""
    event = _event(client, headers=[("X-Seat", "A1"), ("X-Seat", "A2")])
    single = {key.lower(): value for key, value in event["headers"].items()}
    multi = {key.lower(): value for key, value in event["multiValueHeaders"].items()}
    got = (single.get("x-seat"), multi.get("x-seat"))
    assert got == ("A2", ["A1", "A2"]), f"{got!r}"


def test_decoded_query(client: EmulatorClient) -> None:
    """query parameters arrive decoded ([known issues])"""
    event = _event(client, "/echo?name=%EA%B9%80+%26%20co&caf%C3%A9=1")
    assert event["queryStringParameters"] == {"name": "김 & co", "café": "1"}, f"{event['queryStringParameters']!r}"


def test_encoded_path(client: EmulatorClient) -> None:
    """`path` arrives as it was sent, percent-encoded ([live captures])"""
    got = _event(client, "/echo/caf%C3%A9%20au%20lait")["path"]
    assert got == "/echo/caf%C3%A9%20au%20lait", f"path is {got!r}"


def test_text_body(client: EmulatorClient) -> None:
    """a text body arrives as text, isBase64Encoded false ([binary])"""
    sent = [("Content-Type", "application/json")]
    event = _event(client, method="POST", headers=sent, body='{"seat": "가1"}'.encode())
    got = (event["body"], event["isBase64Encoded"])
    assert got == ('{"seat": "가1"}', False), f"{got!r}"


def test_binary_body(client: EmulatorClient) -> None:
    """a body of a binary media type arrives in base64, isBase64Encoded true ([binary])"""
    picture = bytes(range(256))
    event = _event(client, method="POST", headers=[("Content-Type", "image/png")], body=picture)
    assert event["isBase64Encoded"] is True, f"isBase64Encoded is {event['isBase64Encoded']!r}"
    got = base64.b64decode(event["body"])
    assert got == picture, f"the body is {got!r}"


def test_binary_answer(client: EmulatorClient) -> None:
    """an answer with isBase64Encoded is sent decoded to a client that accepts its binary type ([binary])"""
    answer = client.http("/echo?answer=picture", headers=[("Accept", "image/png")])
    assert answer.body == b"\x89PNG\r\n\x1a\n", answer.brief()


def test_repeated_answer_header(client: EmulatorClient) -> None:
    """each value of the answer's multiValueHeaders is a header line of its own ([proxy])"""
    got = client.http("/echo").all("Set-Cookie")
    assert got == ["a=1", "b=2"], f"Set-Cookie lines: {got!r}"


def test_remapped_answer_header(client: EmulatorClient) -> None:
    """WWW-Authenticate of an answer is sent as x-amzn-Remapped-WWW-Authenticate ([known issues])"""
    answer = client.http("/echo?answer=challenge")
    got = (answer.status, answer.header("x-amzn-Remapped-WWW-Authenticate"), answer.header("WWW-Authenticate"))
    assert got == (401, "Bearer", None), f"{got!r}"


def test_forwarded_headers(client: EmulatorClient) -> None:
    """X-Forwarded-For, -Port and -Proto and X-Amzn-Trace-Id are in the headers ([proxy])"""
    names = {name.lower() for name in _event(client)["headers"]}
    wanted = {"x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id"}
    got = sorted(wanted - names)
    assert got == [], f"missing: {got!r}"
