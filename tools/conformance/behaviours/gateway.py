"""What API Gateway answers itself, and what it does to answers on their way."""

import gzip
import time
from concurrent.futures import ThreadPoolExecutor

from tools.conformance.behaviour import behaviour, expect, require
from tools.conformance.emulator_client import EmulatorClient

_AREA = "REST API gateway"


@behaviour(
    _AREA, "a gateway response's template is filled from $context, also from the authorizer's", "response mapping"
)
def _gateway_response(client: EmulatorClient) -> None:
    answer = client.http("/asked", headers=[("Authorization", "deny")])
    document = answer.json()
    require(isinstance(document, dict) and "code" in document, answer.brief())
    got = (document["code"], document["role"], document["path"], bool(document["id"]))
    expect(got, ("ACCESS_DENIED", "guest", "/v1/asked", True), "")


@behaviour(_AREA, "a gateway response's headers are set", "response mapping")
def _gateway_response_header(client: EmulatorClient) -> None:
    answer = client.http("/asked", headers=[("Authorization", "deny")])
    require(answer.header("X-Refused") == "yes", f"{answer.status}, X-Refused: {answer.header('X-Refused')}")


@behaviour(_AREA, "an unknown route is a 403 Missing Authentication Token", "gateway responses")
def _unknown_route(client: EmulatorClient) -> None:
    answer = client.http("/nowhere")
    require((answer.status, answer.json()) == (403, {"message": "Missing Authentication Token"}), answer.brief())


@behaviour(_AREA, "a known path with another method is the same 403", "gateway responses")
def _unknown_method(client: EmulatorClient) -> None:
    answer = client.http("/asked", "DELETE")
    require((answer.status, answer.json()) == (403, {"message": "Missing Authentication Token"}), answer.brief())


@behaviour(_AREA, "a route of method ANY takes every method", "proxy")
def _any_method(client: EmulatorClient) -> None:
    got = [client.http("/any", method).status for method in ("GET", "PATCH", "DELETE")]
    expect(got, [200, 200, 200], "GET, PATCH and DELETE answer")


@behaviour(_AREA, "a function's exception is a 502 Internal server error", "errors")
def _exception(client: EmulatorClient) -> None:
    answer = client.act(act="raise")
    require((answer.status, answer.json()) == (502, {"message": "Internal server error"}), answer.brief())


@behaviour(_AREA, "an answer that is not of the proxy contract is a 502", "errors")
def _malformed(client: EmulatorClient) -> None:
    answer = client.act(act="malformed")
    require((answer.status, answer.json()) == (502, {"message": "Internal server error"}), answer.brief())


@behaviour(_AREA, "a function that overruns its own timeout is a 502", "errors")
def _function_timeout(client: EmulatorClient) -> None:
    answer = client.act("/hurried", act="sleep", seconds=4)
    require(answer.status == 502, answer.brief())


@behaviour(_AREA, "an integration over TimeoutInMillis is a 504 Endpoint request timed out", "timeout")
def _integration_timeout(client: EmulatorClient) -> None:
    client.act("/impatient", act="describe")  # warm, so that the time is the function's
    began = time.monotonic()
    answer = client.act("/impatient", act="sleep", seconds=3)
    took = time.monotonic() - began
    require(answer.status == 504, f"{answer.brief()} after {took:.1f} s")
    require(took < 2, f"504 after {took:.1f} s")


@behaviour(_AREA, "a CORS preflight is answered by the gateway without authorizer", "cors")
def _preflight(client: EmulatorClient) -> None:
    headers = [("Origin", "https://front.example"), ("Access-Control-Request-Method", "GET")]
    answer = client.http("/asked", "OPTIONS", headers)
    require(answer.status == 200, answer.brief())
    got = {name: answer.header(f"Access-Control-Allow-{name}") for name in ("Origin", "Methods", "Headers")}
    got = {name: (value or "").replace(" ", "") for name, value in got.items()}
    expect(got, {"Origin": "https://front.example", "Methods": "GET,POST", "Headers": "Authorization"}, "")


@behaviour(_AREA, "an answer over MinimumCompressionSize is gzipped for who accepts it", "compression")
def _compressed(client: EmulatorClient) -> None:
    answer = client.http("/echo?answer=long", headers=[("Accept-Encoding", "gzip")])
    require(answer.header("Content-Encoding") == "gzip", f"{len(answer.body)} bytes as they are")
    require(b"padding" in gzip.decompress(answer.body), "no gzip")


@behaviour(_AREA, "a gzipped request body reaches the function unpacked", "compression")
def _unpacked(client: EmulatorClient) -> None:
    sent = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")]
    answer = client.http("/echo", "POST", sent, gzip.compress(b'{"seat": 1}', mtime=0))
    require(answer.status == 200, answer.brief())
    expect(answer.json()["body"], '{"seat": 1}', "the body is")


@behaviour(_AREA, "over a method's rate and burst it is a 429 Too Many Requests", "throttling")
def _throttled(client: EmulatorClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(one.status for one in pool.map(lambda _: client.http("/limited"), range(8)))
    require(set(statuses) == {200, 429}, f"answers to eight at once: {statuses}")


@behaviour(_AREA, "a function's answer over 6 MB is a 502", "lambda quotas")
def _big_answer(client: EmulatorClient) -> None:
    answer = client.act(act="big", bytes=7_000_000)
    require(answer.status == 502, answer.brief())


@behaviour(_AREA, "a request over 10 MB is a 413", "quotas")
def _big_request(client: EmulatorClient) -> None:
    answer = client.http("/echo", "POST", [("Content-Type", "text/plain")], b"x" * 10_600_000)
    require(answer.status == 413, answer.brief())


@behaviour(_AREA, "a request between Lambda's 6 MB and the gateway's 10 MB is a 413", "lambda quotas")
def _big_event(client: EmulatorClient) -> None:
    answer = client.http("/echo", "POST", [("Content-Type", "text/plain")], b"x" * 8_000_000)
    require(answer.status == 413, answer.brief())


@behaviour(_AREA, "every answer carries x-amzn-RequestId and x-amz-apigw-id", "proxy")
def _ids(client: EmulatorClient) -> None:
    answer = client.http("/echo")
    missing = [name for name in ("x-amzn-RequestId", "x-amz-apigw-id") if not answer.header(name)]
    expect(missing, [], "missing:")
