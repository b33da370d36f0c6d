import base64
import gzip
import json
import re
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.emulator.live_emulator import LiveEmulator, wait_for

Emulate = Callable[..., LiveEmulator]


def event(live: LiveEmulator, path: str, method: str = "GET", **options: Any) -> dict[str, Any]:
    response = live.http.request(method, path, **options)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


def answer(live: LiveEmulator, value: Any, **headers: str) -> httpx.Response:
    """The gateway's response to a function's answer."""
    return live.http.post("/act", json={"answer": value}, headers=headers)


def raw(live: LiveEmulator, lines: bytes) -> bytes:
    """What the server sends on a raw connection until it closes it."""
    with socket.create_connection(("127.0.0.1", live.http.base_url.port or 0)) as connection:
        connection.sendall(lines)
        received = b""
        while data := connection.recv(65536):
            received += data
        return received


def test_the_event_equals_lambdas_proxy_event(live: LiveEmulator) -> None:
    request = httpx.Request(
        "POST",
        f"{live.http.base_url}/echo?a=1&a=2&b=%20x&c=",
        headers=[("Accept", "text/plain"), ("X-Many", "one"), ("X-Many", "two"), ("User-Agent", "tests")],
        content="안녕",
    )
    seen = live.http.send(request).json()
    context = seen.pop("requestContext")
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", seen["headers"].pop("X-Amzn-Trace-Id"))
    assert len(seen["multiValueHeaders"].pop("X-Amzn-Trace-Id")) == 1
    port = str(live.http.base_url.port)
    host = f"127.0.0.1:{port}"
    assert seen == {
        "resource": "/echo",
        "path": "/echo",
        "httpMethod": "POST",
        "headers": {
            "Host": host,
            "Accept": "text/plain",
            "X-Many": "two",
            "User-Agent": "tests",
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Port": port,
            "X-Forwarded-Proto": "http",
        },
        "multiValueHeaders": {
            "Host": [host],
            "Accept": ["text/plain"],
            "X-Many": ["one", "two"],
            "User-Agent": ["tests"],
            "X-Forwarded-For": ["127.0.0.1"],
            "X-Forwarded-Port": [port],
            "X-Forwarded-Proto": ["http"],
        },
        "queryStringParameters": {"a": "2", "b": " x", "c": ""},
        "multiValueQueryStringParameters": {"a": ["1", "2"], "b": [" x"], "c": [""]},
        "pathParameters": None,
        "stageVariables": {"colour": "blue"},
        "body": "안녕",
        "isBase64Encoded": False,
    }
    assert context.pop("identity") == {
        "accessKey": None,
        "accountId": None,
        "caller": None,
        "cognitoAuthenticationProvider": None,
        "cognitoAuthenticationType": None,
        "cognitoIdentityId": None,
        "cognitoIdentityPoolId": None,
        "principalOrgId": None,
        "sourceIp": "127.0.0.1",
        "user": None,
        "userAgent": "tests",
        "userArn": None,
    }
    assert set(context) == {
        *("accountId", "apiId", "deploymentId", "domainName", "domainPrefix", "extendedRequestId", "httpMethod"),
        *("path", "protocol", "requestId", "requestTime", "requestTimeEpoch", "resourceId", "resourcePath", "stage"),
    }
    assert (context["path"], context["stage"], context["resourcePath"]) == ("/v1/echo", "v1", "/echo")
    assert context["domainName"] == f"{context['apiId']}.execute-api.ap-northeast-2.amazonaws.com"
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", context["requestTime"])


def test_empty_fields_are_null(live: LiveEmulator) -> None:
    seen = event(live, "/echo")
    empty = ("body", "pathParameters", "queryStringParameters", "multiValueQueryStringParameters")
    assert [seen[key] for key in empty] == [None] * 4


def test_every_request_has_its_own_id_and_time(live: LiveEmulator) -> None:
    responses = [live.http.get("/echo") for _ in range(2)]
    contexts = [response.json()["requestContext"] for response in responses]
    assert contexts[0]["requestId"] != contexts[1]["requestId"]
    assert contexts[0]["extendedRequestId"] != contexts[1]["extendedRequestId"]
    assert contexts[0]["requestTimeEpoch"] < contexts[1]["requestTimeEpoch"]
    assert responses[0].headers["x-amzn-requestid"] == contexts[0]["requestId"]
    assert responses[0].headers["x-amz-apigw-id"] == contexts[0]["extendedRequestId"]


def test_the_caller_is_appended_to_x_forwarded_for_and_stays_the_source_ip(live: LiveEmulator) -> None:
    seen = event(live, "/echo", headers={"X-Forwarded-For": "203.0.113.9"})
    assert seen["headers"]["X-Forwarded-For"] == "203.0.113.9, 127.0.0.1"
    assert seen["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/echo/static", "/echo/static", None),
        ("/echo/static/", "/echo/static", None),
        ("/echo/other", "/echo/{id}", {"id": "other"}),
        ("/echo/static/seats", "/echo/{id}/seats", {"id": "static"}),
        ("/echo/a%2Fb%20c", "/echo/{id}", {"id": "a/b c"}),
        ("/files/a/b/c.txt", "/files/{proxy+}", {"proxy": "a/b/c.txt"}),
    ],
)
def test_static_paths_precede_parameters_and_those_precede_proxies(
    live: LiveEmulator, path: str, resource: str, parameters: dict[str, str] | None
) -> None:
    seen = event(live, path)
    assert (seen["resource"], seen["pathParameters"], seen["path"]) == (resource, parameters, path)


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("DELETE", "/act"), ("GET", "/"), ("GET", "/files")])
def test_a_request_without_a_route_is_missing_an_authentication_token(
    live: LiveEmulator, method: str, path: str
) -> None:
    response = live.http.request(method, path)
    assert (response.status_code, response.json()) == (403, {"message": "Missing Authentication Token"})
    assert response.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


def test_preflight_is_answered_by_the_gateway_itself(live: LiveEmulator) -> None:
    response = live.http.options("/uncached/1")
    assert (response.status_code, response.text) == (200, "{}\n")
    assert response.headers["access-control-allow-origin"] == "https://front.example"
    assert response.headers["access-control-allow-methods"] == "GET,POST"
    assert live.runtime.stats()["AuthorizerFunction"].invocations == 0


def test_a_binary_body_travels_as_base64_both_ways(live: LiveEmulator) -> None:
    picture = b"\x89PNG\xff"
    seen = event(live, "/echo", "POST", content=picture, headers={"Content-Type": "image/png"})
    assert (base64.b64decode(seen["body"]), seen["isBase64Encoded"]) == (picture, True)
    packed = {"statusCode": 200, "isBase64Encoded": True, "body": base64.b64encode(picture).decode()}
    assert answer(live, packed, Accept="image/png,text/html").content == picture
    assert answer(live, packed, Accept="text/html,image/png").text == packed["body"]


def test_headers_and_multi_value_headers_are_merged(live: LiveEmulator) -> None:
    response = answer(
        live,
        {
            "statusCode": "201",
            "headers": {"X-One": "1", "X-Flag": True, "X-Number": 3, "X-Both": "single"},
            "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "x-both": ["multi"]},
            "body": "made",
        },
    )
    assert (response.status_code, response.text) == (201, "made")
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert [response.headers[name] for name in ("x-one", "x-flag", "x-number")] == ["1", "true", "3"]
    assert response.headers.get_list("x-both") == ["multi"]
    assert response.headers["content-type"] == "application/json"


def test_headers_that_belong_to_the_gateway_are_renamed(live: LiveEmulator) -> None:
    response = answer(live, {"statusCode": 401, "headers": {"WWW-Authenticate": "Bearer", "Date": "yesterday"}})
    assert "www-authenticate" not in response.headers
    assert response.headers["x-amzn-remapped-www-authenticate"] == "Bearer"
    assert response.headers["x-amzn-remapped-date"] == "yesterday"


@pytest.mark.parametrize(
    "malformed",
    [
        "text",
        None,
        {},
        {"body": "no status"},
        {"statusCode": "OK"},
        {"statusCode": True},
        {"statusCode": 42},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "extra": 1},
        {"statusCode": 200, "headers": {"X": {}}},
        {"statusCode": 200, "headers": {"X": "a\r\nY: b"}},
        {"statusCode": 200, "headers": {"X": "a\x00b"}},
        {"statusCode": 200, "headers": {"X Y": "a"}},
        {"statusCode": 200, "headers": {"X:": "a"}},
        {"statusCode": 200, "headers": {"": "a"}},
        {"statusCode": 200, "headers": ["X"]},
        {"statusCode": 101},
        {"statusCode": 204, "body": 7},
        {"statusCode": 600},
        {"statusCode": 200.5},
        {"statusCode": 200, "multiValueHeaders": {"X": "not a list"}},
    ],
)
def test_an_answer_that_violates_the_contract_is_a_502(live: LiveEmulator, malformed: Any) -> None:
    response = answer(live, malformed)
    assert (response.status_code, response.json()) == (502, {"code": "DEFAULT_5XX"})


def test_a_function_that_fails_is_a_502(live: LiveEmulator) -> None:
    response = live.http.post("/act", json={"fail": "secret detail"})
    assert response.status_code == 502
    assert "secret detail" not in response.text


def test_an_integration_timeout_is_a_504_and_the_function_keeps_running(live: LiveEmulator) -> None:
    wait_for(lambda: live.runtime.stats()["ActFunction"].in_flight == 0, "what an earlier test left running to end")
    before = live.runtime.stats()["ActFunction"].invocations  # that have ended
    response = live.http.post("/short-timeout", json={"sleep": 0.8})
    assert (response.status_code, response.json()) == (504, {"code": "INTEGRATION_TIMEOUT"})
    wait_for(lambda: live.runtime.stats()["ActFunction"].in_flight == 0, "the function to end by itself")
    assert live.runtime.stats()["ActFunction"].invocations == before + 1


def test_a_throttled_function_is_a_500(live: LiveEmulator) -> None:
    running = live.begin(live.runtime.invoke("ReservedFunction", b'{"sleep": 0.5}'))
    wait_for(lambda: live.runtime.stats()["ReservedFunction"].in_flight, "the first call")
    response = live.http.post("/reserved", json={})
    assert (response.status_code, response.json()) == (500, {"code": "INTEGRATION_FAILURE"})
    running.result()


def gateway_error(live: LiveEmulator, response: httpx.Response) -> dict[str, Any]:
    """The only log record about an error of the gateway itself, without the fields that every record has."""
    lines = [
        (function, json.loads(line))
        for function, request, line in live.lines
        if request == response.headers["x-amzn-requestid"]
    ]
    assert len(lines) == 1
    function, line = lines[0]
    assert line["level"] == "ERROR"
    assert line["trace_id"] == response.headers["x-amzn-requestid"]
    assert line["cause"] in line["message"]
    return {"function": function, **{key: line[key] for key in ("gateway_status", "gateway_response", "cause")}}


@pytest.mark.parametrize(
    ("path", "action", "line"),
    [
        (
            "/act",
            {"answer": {"statusCode": "many"}},
            {
                "function": "ActFunction",
                "gateway_status": 502,
                "gateway_response": "DEFAULT_5XX",
                "cause": "not a valid proxy integration response: statusCode is not an HTTP status",
            },
        ),
        (
            "/act",
            {"fail": "in\ntwo lines"},
            {
                "function": "ActFunction",
                "gateway_status": 502,
                "gateway_response": "DEFAULT_5XX",
                "cause": "failed: RuntimeError: in two lines",
            },
        ),
        (
            "/short-timeout",
            {"sleep": 0.8},
            {
                "function": "ActFunction",
                "gateway_status": 504,
                "gateway_response": "INTEGRATION_TIMEOUT",
                "cause": "no response within 0.3 s; the function keeps running",
            },
        ),
    ],
    ids=["malformed", "failed", "late"],
)
def test_a_5xx_of_the_gateway_itself_is_in_the_functions_log_with_its_cause(
    live: LiveEmulator, path: str, action: dict[str, Any], line: dict[str, Any]
) -> None:
    assert gateway_error(live, live.http.post(path, json=action)) == line


def test_a_throttled_function_is_in_its_log_with_the_limit(live: LiveEmulator) -> None:
    running = live.begin(live.runtime.invoke("ReservedFunction", b'{"sleep": 0.5}'))
    wait_for(lambda: live.runtime.stats()["ReservedFunction"].in_flight, "the first call")
    assert gateway_error(live, live.http.post("/reserved", json={})) == {
        "function": "ReservedFunction",
        "gateway_status": 500,
        "gateway_response": "INTEGRATION_FAILURE",
        "cause": "throttled, ReservedFunctionConcurrentInvocationLimitExceeded",
    }
    running.result()


def test_a_4xx_of_the_gateway_itself_is_not_logged_as_an_error(live: LiveEmulator) -> None:
    response = live.http.get("/nowhere")
    assert response.status_code == 403
    assert response.headers["x-amzn-requestid"] not in [request for _, request, _ in live.lines]


def test_a_method_over_its_rate_is_throttled_with_the_templates_headers(emulate: Emulate) -> None:
    live = emulate()
    statuses = [live.http.get("/limited").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    response = live.http.get("/limited")
    assert (response.json(), response.headers["retry-after"]) == ({"message": "Too Many Requests"}, "1")
    assert live.http.get("/echo").status_code == 200


def test_a_body_over_ten_megabytes_is_rejected_in_plain_text(live: LiveEmulator) -> None:
    port = live.http.base_url.port
    declared = raw(live, f"POST /act HTTP/1.1\r\nHost: x:{port}\r\nContent-Length: 10485761\r\n\r\n".encode())
    assert declared.startswith(b"HTTP/1.1 413 ")
    assert declared.endswith(b"HTTP content length exceeded 10485760 bytes.")


def test_a_body_too_large_for_lambda_is_a_413(live: LiveEmulator) -> None:
    response = live.http.post("/act", content=b"x" * 7_000_000)
    assert (response.status_code, response.json()) == (413, {"message": "Request Too Long"})


def test_a_response_is_compressed_from_the_apis_size_on_if_the_client_accepts_it(live: LiveEmulator) -> None:
    long, short = ({"statusCode": 200, "body": "x" * length} for length in (1024, 1023))
    response = answer(live, long, **{"Accept-Encoding": "br, gzip;q=0.5"})
    assert (response.headers["content-encoding"], response.text) == ("gzip", long["body"])
    assert "content-encoding" not in answer(live, short, **{"Accept-Encoding": "gzip"}).headers
    for encoding in ("identity", "gzip;q=0"):
        assert "content-encoding" not in answer(live, long, **{"Accept-Encoding": encoding}).headers


def test_a_compressed_request_reaches_the_function_uncompressed(live: LiveEmulator) -> None:
    seen = event(live, "/echo", "POST", content=gzip.compress(b"plain"), headers={"Content-Encoding": "gzip"})
    assert seen["body"] == "plain"
    response = live.http.post("/echo", content=b"x", headers={"Content-Encoding": "br"})
    assert response.status_code == 415
    response = live.http.post("/echo", content=b"not gzip", headers={"Content-Encoding": "gzip"})
    assert response.status_code == 400
    bomb = gzip.compress(b"0" * 20_000_000)
    assert live.http.post("/echo", content=bomb, headers={"Content-Encoding": "gzip"}).status_code == 400


def test_head_has_the_headers_and_no_body(live: LiveEmulator) -> None:
    response = live.http.head("/echo")
    assert (response.status_code, response.content) == (200, b"")


def test_two_apis_or_emulators_do_not_share_a_port(emulate: Emulate, live: LiveEmulator) -> None:
    assert emulate().http.base_url.port != live.http.base_url.port


def test_no_input_crashes_the_gateway(live: LiveEmulator) -> None:
    assert raw(live, b"GARBAGE\r\n\r\n").startswith(b"HTTP/1.")
    for path in ("/echo/%ff", "/echo/%00", "/echo?%ff=%ff&&=&a", "/echo/%zz", "//echo", "/echo/..%2f"):
        connection_closed = b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert raw(live, connection_closed)[9:12] in (b"200", b"403"), path
    json.loads(live.http.get("/echo").text)
