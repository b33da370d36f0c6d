"""What API Gateway answers itself, and how it changes the answers of functions."""

import gzip
import time
from concurrent.futures import ThreadPoolExecutor

from tools.conformance.emulator_client import EmulatorClient


def test_gateway_response(client: EmulatorClient) -> None:
    """a gateway response's template is filled from $context, also from the authorizer's ([response mapping])"""
    answer = client.http("/asked", headers=[("Authorization", "deny")])
    document = answer.json()
    assert isinstance(document, dict), answer.brief()
    assert "code" in document, answer.brief()
    got = (document["code"], document["role"], document["path"], bool(document["id"]))
    assert got == ("ACCESS_DENIED", "guest", "/v1/asked", True), f"{got!r}"


def test_gateway_response_header(client: EmulatorClient) -> None:
    """a gateway response's headers are set ([response mapping])"""
    answer = client.http("/asked", headers=[("Authorization", "deny")])
    assert answer.header("X-Refused") == "yes", f"{answer.status}, X-Refused: {answer.header('X-Refused')}"


def test_unknown_route(client: EmulatorClient) -> None:
    """an unknown route is a 403 Missing Authentication Token ([gateway responses])"""
    answer = client.http("/nowhere")
    assert (answer.status, answer.json()) == (403, {"message": "Missing Authentication Token"}), answer.brief()


def test_unknown_method(client: EmulatorClient) -> None:
    """a known path with another method is the same 403 ([gateway responses])"""
    answer = client.http("/asked", "DELETE")
    assert (answer.status, answer.json()) == (403, {"message": "Missing Authentication Token"}), answer.brief()


def test_any_method(client: EmulatorClient) -> None:
    """a route of method ANY takes every method ([proxy])"""
    got = [client.http("/any", method).status for method in ("GET", "PATCH", "DELETE")]
    assert got == [200, 200, 200], f"GET, PATCH and DELETE answer {got!r}"


def test_exception(client: EmulatorClient) -> None:
    """a function's exception is a 502 Internal server error ([errors])"""
    answer = client.act(act="raise")
    assert (answer.status, answer.json()) == (502, {"message": "Internal server error"}), answer.brief()


def test_malformed(client: EmulatorClient) -> None:
    """an answer that breaks the proxy contract is a 502 ([errors])"""
    answer = client.act(act="malformed")
    assert (answer.status, answer.json()) == (502, {"message": "Internal server error"}), answer.brief()


def test_function_timeout(client: EmulatorClient) -> None:
    """a function that overruns its own timeout is a 502 ([errors])"""
    answer = client.act("/hurried", act="sleep", seconds=4)
    assert answer.status == 502, answer.brief()


def test_integration_timeout(client: EmulatorClient) -> None:
    """an integration over TimeoutInMillis is a 504 Endpoint request timed out ([timeout])"""
    client.act("/impatient", act="describe")  # warm, so that the time is the function's
    began = time.monotonic()
    answer = client.act("/impatient", act="sleep", seconds=3)
    took = time.monotonic() - began
    assert answer.status == 504, f"{answer.brief()} after {took:.1f} s"
    assert took < 2, f"504 after {took:.1f} s"


def test_preflight(client: EmulatorClient) -> None:
    """a CORS preflight is answered by the gateway without authorizer ([cors])"""
    headers = [("Origin", "https://front.example"), ("Access-Control-Request-Method", "GET")]
    answer = client.http("/asked", "OPTIONS", headers)
    assert answer.status == 200, answer.brief()
    got = {name: answer.header(f"Access-Control-Allow-{name}") for name in ("Origin", "Methods", "Headers")}
    got = {name: (value or "").replace(" ", "") for name, value in got.items()}
    assert got == {"Origin": "https://front.example", "Methods": "GET,POST", "Headers": "Authorization"}, f"{got!r}"


def test_compressed_answer(client: EmulatorClient) -> None:
    """an answer over MinimumCompressionSize is gzipped for a client that accepts gzip ([compression])"""
    answer = client.http("/echo?answer=long", headers=[("Accept-Encoding", "gzip")])
    assert answer.header("Content-Encoding") == "gzip", f"{len(answer.body)} bytes as they are"
    assert b"padding" in gzip.decompress(answer.body), "no gzip"


def test_compressed_request(client: EmulatorClient) -> None:
    """a gzipped request body reaches the function unpacked ([compression])"""
    sent = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")]
    answer = client.http("/echo", "POST", sent, gzip.compress(b'{"seat": 1}', mtime=0))
    assert answer.status == 200, answer.brief()
    got = answer.json()["body"]
    assert got == '{"seat": 1}', f"the body is {got!r}"


def test_throttled(client: EmulatorClient) -> None:
    """over a method's rate and burst it is a 429 Too Many Requests ([throttling])"""
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(one.status for one in pool.map(lambda _: client.http("/limited"), range(8)))
    assert set(statuses) == {200, 429}, f"answers to eight at once: {statuses}"


def test_big_answer(client: EmulatorClient) -> None:
    """a function's answer over 6 MB is a 502 ([lambda quotas])"""
    answer = client.act(act="big", bytes=7_000_000)
    assert answer.status == 502, answer.brief()


def test_big_request(client: EmulatorClient) -> None:
    """a request over 10 MB is a 413 ([quotas])"""
    answer = client.http("/echo", "POST", [("Content-Type", "text/plain")], b"x" * 10_600_000)
    assert answer.status == 413, answer.brief()


def test_big_event(client: EmulatorClient) -> None:
    """a request between Lambda's 6 MB and the gateway's 10 MB is a 413 ([lambda quotas])"""
    answer = client.http("/echo", "POST", [("Content-Type", "text/plain")], b"x" * 8_000_000)
    assert answer.status == 413, answer.brief()


def test_request_ids(client: EmulatorClient) -> None:
    """every answer carries x-amzn-RequestId and x-amz-apigw-id ([proxy])"""
    answer = client.http("/echo")
    missing = [name for name in ("x-amzn-RequestId", "x-amz-apigw-id") if not answer.header(name)]
    assert missing == [], f"missing: {missing!r}"
