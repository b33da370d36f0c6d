"""`@endpoint`: parameters by type, every outcome in one format, no internal details in errors."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.domain.model import Model, Text
from common.domain.shared_errors import DomainError, StoreUnavailable
from common.http import endpoint as endpoint_module
from common.http.endpoint import Response, created, endpoint
from common.http.error_catalogue import ERROR_CATALOGUE, CatalogueEntry
from common.http.request import Admin, Body, IdPath, Paging, Request, User
from common.wiring.endpoint_settings import EndpointSettings

USER = str(uuid4())


class Teapot(DomainError):
    code = "TEAPOT"


@pytest.fixture(autouse=True)
def _teapot_in_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ERROR_CATALOGUE, Teapot.code, CatalogueEntry(418, "찻주전자입니다.", "I am a teapot."))


class Order(Body):
    event_id: UUID
    note: Text = ""
    count: int = 1


class Echo(Model):
    event_id: UUID
    note: str


def event(body: object = None, role: str | None = "USER", **more: Any) -> dict[str, Any]:
    claims = {"sub": USER, "role": role, "sid": str(uuid4()), "jti": str(uuid4()), "exp": "1"} if role else None
    return {
        "httpMethod": "POST",
        "resource": "/orders",
        "path": "/orders",
        "headers": {"Content-Type": "application/json; charset=utf-8", **more.pop("headers", {})},
        "body": body if isinstance(body, str) or body is None else json.dumps(body),
        "requestContext": {"requestId": "0f8fad5b-d9cb-469f-a165-70867728950e", "authorizer": claims},
        **more,
    }


def call(handler: Any, event: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
    answer = handler(event, None)
    return answer["statusCode"], json.loads(answer["body"]) if answer["body"] else None, answer["headers"]


@endpoint
def echo(user: User, body: Order) -> Echo:
    return Echo(event_id=body.event_id, note=body.note)


def test_a_model_is_200_created_is_201_and_none_is_204() -> None:
    body = {"eventId": str(uuid4()), "note": "앞자리"}
    assert call(echo, event(body))[:2] == (200, body)
    assert call(endpoint(lambda: None), event())[:2] == (204, None)

    @endpoint
    def make(body: Order) -> Response:
        return created(Echo(event_id=body.event_id, note=""))

    assert call(make, event(body))[0] == 201


def test_an_error_is_in_the_callers_language_and_has_the_trace_id() -> None:
    @endpoint
    def failing() -> None:
        raise Teapot(spout=1, retry_after=5)

    trace_id = str(uuid4())
    status, body, headers = call(failing, event(headers={"X-Trace-Id": trace_id, "Accept-Language": "en"}))
    assert (status, body["code"], body["message"], body["details"]) == (418, "TEAPOT", "I am a teapot.", {"spout": 1})
    assert body["traceId"] == headers["X-Trace-Id"] == trace_id
    assert headers["Retry-After"] == "5"
    assert call(failing, event())[1]["message"] == "찻주전자입니다."


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "ko"),
        ("en", "en"),
        ("en-GB,ko;q=0.9", "en"),
        ("ko-KR,en;q=0.9", "ko"),
        ("fr,en;q=0.1", "en"),
        ("en;q=x", "ko"),
    ],
)
def test_the_language_is_the_preferred_one_of_the_two(accepted: str, language: str) -> None:
    assert Request.of(event(headers={"Accept-Language": accepted})).language == language


def test_a_bug_reveals_no_internal_details() -> None:
    @endpoint
    def broken() -> None:
        raise RuntimeError("password=hunter2")

    status, body, _ = call(broken, event())
    assert (status, body["code"]) == (500, "INTERNAL_ERROR")
    assert "hunter2" not in json.dumps(body)


@pytest.mark.parametrize(("path", "limit"), [("/auth/login", 10_000), ("/users/me", 10_000), ("/payments", 1_000_000)])
def test_a_body_over_the_limit_is_rejected_before_it_is_read(path: str, limit: int) -> None:
    fits = json.dumps({"eventId": str(uuid4()), "note": ""})
    fits += " " * (limit - len(fits))

    assert call(echo, event(fits, path=path))[0] == 200
    status, body, _ = call(echo, event(fits + " ", path=path))

    assert (status, body["code"], body["details"]) == (413, "PAYLOAD_TOO_LARGE", {"limitBytes": limit})


def test_a_body_is_measured_in_bytes() -> None:
    wide = json.dumps({"eventId": str(uuid4()), "note": "가" * 3_400}, ensure_ascii=False)

    assert len(wide) < 10_000
    assert call(echo, event(wide, path="/auth/login"))[0] == 413


def test_a_request_is_one_log_record_with_its_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    call(echo, event({"eventId": str(uuid4())}))

    record = json.loads(capsys.readouterr().out)
    assert (record["method"], record["path"], record["status"], record["ServerErrors"]) == ("POST", "/orders", 200, 0)
    assert record["route"] == "POST /orders"
    metrics = record["_aws"]["CloudWatchMetrics"][0]
    assert metrics["Dimensions"] == [["route"]]
    assert all(isinstance(record[metric["Name"]], int | float) for metric in metrics["Metrics"])


def test_an_undeclared_error_is_logged_at_error_level(caplog: pytest.LogCaptureFixture) -> None:
    @endpoint(raises=[Teapot])
    def declared() -> None:
        raise Teapot()

    @endpoint
    def undeclared() -> None:
        raise Teapot()

    call(declared, event())
    assert not caplog.records
    assert call(undeclared, event())[0] == 418
    (logged,) = (vars(record) for record in caplog.records if record.levelname == "ERROR")
    assert (logged["message"], logged["code"], logged["status"]) == ("undeclared error", "TEAPOT", 418)


@pytest.mark.parametrize("role", [None, "USER"])
def test_errors_that_follow_from_parameters_need_no_declaration(
    role: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    @endpoint
    def admin_only(admin: Admin, path: IdPath, query: Paging, body: Order) -> None:
        pass

    call(admin_only, event(role=role))
    for wrong in ({"pathParameters": {"id": "x"}}, {"queryStringParameters": {"size": "0"}}, {"body": "{"}):
        good: dict[str, Any] = {"pathParameters": {"id": USER}, "body": json.dumps({"eventId": USER})}
        call(admin_only, event(**{"role": "ADMIN", **good, **wrong}))
    call(admin_only, event("x", role="ADMIN", pathParameters={"id": USER}, headers={"Content-Type": "text/plain"}))
    assert not caplog.records


@pytest.mark.parametrize(
    "body",
    [
        {"eventId": USER, "note": 7},
        {"eventId": USER, "count": "2"},
        {"event_id": USER},
        {"eventId": [USER]},
    ],
    ids=["type", "number as text", "name", "list"],
)
def test_a_body_must_match_its_schema(body: dict[str, Any]) -> None:
    assert call(echo, event(body))[0] == 400


def test_an_unavailable_store_is_a_503() -> None:
    @endpoint
    def unavailable() -> None:
        raise StoreUnavailable

    status, body, headers = call(unavailable, event())
    assert (status, body["code"], headers["Retry-After"]) == (503, "SERVICE_UNAVAILABLE", "1")


@pytest.mark.parametrize(
    "body",
    [None, "", "null", "[]", "{", '{"eventId": 1}', '{"eventId": "x"}', "{" * 10_000, '{"eventId": "\\ud800"}'],
)
def test_an_invalid_body_is_a_400_that_names_fields_and_no_values(body: str | None) -> None:
    status, answer, _ = call(echo, event(body))
    assert (status, answer["code"]) == (400, "VALIDATION_ERROR")
    assert all(fault.keys() == {"field", "reason"} for fault in answer["details"])


@pytest.mark.parametrize("note", ["\x00", "a\x00b"])
def test_text_that_postgres_cannot_store_is_a_400(note: str) -> None:
    assert call(echo, event({"eventId": str(uuid4()), "note": note}))[0] == 400


def test_a_route_without_its_authorizer_fails_closed() -> None:
    assert call(echo, event({"eventId": str(uuid4())}, role=None))[1]["code"] == "TOKEN_MISSING"


def test_an_admin_route_is_for_admins() -> None:
    @endpoint
    def admin_only(admin: Admin) -> None:
        pass

    assert call(admin_only, event())[1]["code"] == "FORBIDDEN"
    assert call(admin_only, event(role="ADMIN"))[0] == 204


@pytest.mark.parametrize("id_", ["x", "", "00000000-0000-0000-0000-00000000000g"])
def test_a_malformed_path_id_is_not_found(id_: str) -> None:
    @endpoint
    def find(path: IdPath) -> None:
        pass

    assert call(find, event(pathParameters={"id": id_}))[0] == 404


@pytest.mark.parametrize("query", [{"page": "-1"}, {"size": "0"}, {"size": "101"}, {"page": "1e3"}])
def test_paging_has_bounds(query: dict[str, str]) -> None:
    @endpoint
    def page(query: Paging) -> None:
        pass

    assert call(page, event(queryStringParameters=query))[0] == 400


def test_another_media_type_is_a_415() -> None:
    assert call(echo, event("a=b", headers={"Content-Type": "text/plain"}))[0] == 415


def test_an_unsupported_parameter_type_fails_at_decoration() -> None:
    def wrong(thing: int) -> None:
        pass

    with pytest.raises(TypeError):
        endpoint(wrong)


class Registration(Body):
    email: str


def test_the_bot_check_gets_the_callers_account(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, bool, bool]] = []

    class Recorder:
        def check(self, account: str, *_: object, logged_in: bool, observe: bool) -> None:
            seen.append((account, logged_in, observe))

    monkeypatch.setattr(endpoint_module, "endpoint_settings", lambda: EndpointSettings(bot_guard="observe"))
    monkeypatch.setattr("common.wiring.bot_checker.bot_checker", Recorder)

    @endpoint(bot_check=True)
    def enter_queue(user: User, body: Order) -> None: ...

    @endpoint(bot_check=True)
    def register(body: Registration) -> None: ...

    @endpoint
    def read(user: User) -> None: ...

    assert call(enter_queue, event({"eventId": str(uuid4())}))[0] == 204
    assert call(register, event({"email": "hong@example.com"}, role=None))[0] == 204
    assert call(read, event())[0] == 204
    assert seen == [(USER, True, True), ("hong@example.com", False, True)]
    assert {error.code for error in enter_queue.operation.errors()} > {"CAPTCHA_REQUIRED", "BOT_SUSPECTED"}  # type: ignore[attr-defined]


def test_every_response_varies_by_origin_and_each_configured_origin_gets_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = EndpointSettings(allowed_origins="https://a.example,https://b.example")
    monkeypatch.setattr(endpoint_module, "endpoint_settings", lambda: settings)

    @endpoint
    def cached() -> Response:
        return Response("{}", headers={"Cache-Control": "public, max-age=86400"})

    for origin in ("https://a.example", "https://b.example"):
        assert call(cached, event(headers={"Origin": origin}))[2]["Access-Control-Allow-Origin"] == origin
    for headers in ({}, {"Origin": "https://evil.example"}):
        sent = call(cached, event(headers=headers))[2]
        assert (sent["Vary"], "Access-Control-Allow-Origin" in sent) == ("Origin", False)


def test_the_log_says_why_a_payment_failed_and_which_one(capsys: pytest.CaptureFixture[str]) -> None:
    class Confirm(Body):
        payment_id: UUID
        note: Text

    @endpoint
    def failing(body: Confirm) -> None:
        raise Teapot(reason="LIMIT_EXCEEDED", reservationId="r-1", note=body.note)

    payment = str(uuid4())
    call(failing, event({"paymentId": payment, "note": "private"}))
    (record,) = (line for line in map(json.loads, capsys.readouterr().out.splitlines()) if line["message"] == "request")
    why = {name: record[name] for name in ("code", "reason", "payment_id", "reservation_id")}
    assert why == {"code": "TEAPOT", "reason": "LIMIT_EXCEEDED", "payment_id": payment, "reservation_id": "r-1"}
    assert "private" not in json.dumps(record)


def test_an_unknown_name_in_a_query_is_rejected() -> None:
    @endpoint
    def listing(query: Paging) -> None: ...

    status, body, _ = call(listing, event(queryStringParameters={"page": "1", "sizes": "5"}))
    assert (status, body["code"], body["details"][0]["field"]) == (400, "VALIDATION_ERROR", "sizes")
