"""API Gateway's REST API data plane on a local port: the steps of each request.

It serves only the template's routes, at the root: as behind a custom domain, the stage is not part of the URL, but the
event has it in requestContext.path.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from emulator.activity import Activity
from emulator.authorizer import Authorizers, failure_text, not_run_reason
from emulator.compression import InvalidContent, UnsupportedCoding, accepts_gzip, compress, decompress
from emulator.environment import LogSink
from emulator.gateway_response import GatewayFailure, gateway_response
from emulator.http_server import HttpServer
from emulator.http_server import Response as HttpResponse
from emulator.proxy_event import (
    MalformedResponse,
    Request,
    Response,
    add_body,
    proxy_event,
    read_response,
    request_context,
)
from emulator.rest_api import mock_status
from emulator.routing import Router
from emulator.runtime import FunctionNotFound, InvokeResult, PayloadTooLarge, Runtime, Throttled, no_log
from emulator.stack import Api, Route
from emulator.throttle import TokenBucket, bucket_for

MAX_BODY = 10 * 1024 * 1024  # bytes
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
MAX_HEADERS = 10_240  # bytes of request line and header values together
_IDLE = 310.0  # seconds a connection may be idle


class Gateway:
    """One REST API. `start` it on a host and port, `close` it."""

    def __init__(self, api: Api, runtime: Runtime, activity: Activity | None = None, log: LogSink = no_log) -> None:
        """Notes every request as `activity`, and writes the cause of each 5xx of the gateway itself to `log`."""
        self._log = log
        self._api = api
        self._activity = activity or Activity()
        self._runtime = runtime
        self._authorizers = Authorizers(api, lambda function, payload: runtime.invoke(function, payload))
        self._router: Router[tuple[Route, TokenBucket | None]] = Router(
            (
                route.method,
                route.resource,
                (route, bucket_for(api.method_settings, route.method, route.resource)),
            )
            for route in api.routes
        )
        # A body may be compressed, but only some APIs let the gateway unpack it. A rejected body is read for another
        # second: the client gets the response instead of a broken pipe.
        self._server = HttpServer(self._serve, auto_decompress=False, lingering_time=1.0, keepalive_timeout=_IDLE)
        self._overrunning: set[asyncio.Task[InvokeResult]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listens, and returns the port; raises StackError if it is taken."""
        return await self._server.listen(self._api.name, host, port)

    async def close(self) -> None:
        """Stops listening and drops the connections."""
        await self._server.close()
        for task in self._overrunning:
            task.cancel()

    async def _serve(self, raw: web.BaseRequest) -> web.StreamResponse:
        self._activity.note()
        # These are rejected before the API is known: no gateway response applies.
        if _header_size(raw) > MAX_HEADERS:
            return _plain_response(431, f"HTTP header is larger than {MAX_HEADERS} bytes.")
        try:
            body = await _read_body(raw)
        except (ConnectionError, web.RequestPayloadError):
            return _plain_response(400, "Bad Request")  # not received: the client disconnected or sent invalid chunks
        if body is None:
            return _plain_response(413, f"HTTP content length exceeded {MAX_BODY} bytes.")
        request = _request(raw, body)
        response = await self._respond(request)
        headers = [
            *response.headers,
            ("x-amzn-RequestId", request.request_id),
            ("x-amz-apigw-id", request.extended_id),
        ]
        content = response.body
        if (
            self._api.minimum_compression is not None
            and len(content) >= max(1, self._api.minimum_compression)
            and accepts_gzip(request.header("accept-encoding"))
            and not any(name.lower() == "content-encoding" for name, _ in headers)
        ):
            content = compress(content)
            headers.append(("Content-Encoding", "gzip"))
        return HttpResponse(status=response.status, body=content, headers=CIMultiDict(headers))

    async def _respond(self, request: Request) -> Response:
        found = self._router.match(request.method, request.path)
        if found is None:
            context = request_context(self._api, request, None)
            failure = GatewayFailure("MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token")
            return gateway_response(self._api, request, context, failure)
        (route, bucket), path_parameters = found
        context = request_context(self._api, request, route.resource)
        try:
            _throttle(bucket)
            request = self._decompressed(request)
            event = proxy_event(self._api, request, route.resource, path_parameters, context)
            if route.authorizer is not None:
                context["authorizer"] = await self._authorizers.authorize(route.authorizer, request, event)
            if route.function is None:
                return _mock(route.mock or {})
            add_body(event, self._api, request)
            return await self._integrate(route, route.function, request, event)
        except GatewayFailure as failure:
            response = gateway_response(self._api, request, failure.context or context, failure)
            if response.status >= 500 or failure.status >= 500:
                self._log_failure(failure, response.status, request, route)
            return response

    def _log_failure(self, failure: GatewayFailure, status: int, request: Request, route: Route) -> None:
        """A line in the log of the function at fault, with the request id that the client received."""
        line = {
            "level": "ERROR",
            "message": f"the gateway answered {status} {failure.kind}: {failure.cause}",
            "trace_id": request.request_id,
            "method": route.method,
            "resource": route.resource,
            "gateway_status": status,
            "gateway_response": failure.kind,
            "cause": failure.cause,
        }
        self._log(failure.function, request.request_id, json.dumps(line, ensure_ascii=False))

    async def _integrate(self, route: Route, function: str, request: Request, event: Mapping[str, Any]) -> Response:
        """Calls the route's function. After a timeout it keeps running and its response is ignored, as on AWS."""
        payload = json.dumps(event, separators=(",", ":")).encode()
        call = asyncio.ensure_future(
            self._runtime.invoke(
                function, payload, trace_id=event["headers"]["X-Amzn-Trace-Id"], qualifier=route.qualifier
            )
        )
        done, _ = await asyncio.wait({call}, timeout=None if self._runtime.debugs(function) else route.timeout)
        if not done:
            self._overrunning.add(call)
            call.add_done_callback(self._on_late_result)
            cause = f"no response within {route.timeout:g} s; the function keeps running"
            raise GatewayFailure("INTEGRATION_TIMEOUT", "Endpoint request timed out", function=function, cause=cause)
        try:
            result = call.result()
        except (Throttled, FunctionNotFound) as error:
            # Documented as 504 for all integrations; a throttled Lambda function in fact gives a 500.
            raise GatewayFailure(
                "INTEGRATION_FAILURE",
                "Internal server error",
                status=500,
                function=function,
                cause=not_run_reason(error),
            ) from None
        except PayloadTooLarge:
            raise GatewayFailure("REQUEST_TOO_LARGE", "Request Too Long") from None
        if result.error is not None:
            raise _bad_gateway(function, failure_text(result))
        try:
            return read_response(self._api, request, result.payload)
        except MalformedResponse as error:
            raise _bad_gateway(function, f"not a valid proxy integration response: {error}") from None

    def _on_late_result(self, call: "asyncio.Task[InvokeResult]") -> None:
        self._overrunning.discard(call)
        if not call.cancelled():
            call.exception()  # mark it as retrieved

    def _decompressed(self, request: Request) -> Request:
        coding = request.header("content-encoding")
        if self._api.minimum_compression is None or coding is None or not request.body:
            return request
        try:
            body = decompress(request.body, coding.strip().lower(), MAX_BODY)
        except UnsupportedCoding:
            raise GatewayFailure("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type") from None
        except InvalidContent:
            raise GatewayFailure("BAD_REQUEST_BODY", "Could not decompress the request body") from None
        headers = [line for line in request.headers if line[0].lower() != "content-encoding"]
        return replace(request, body=body, headers=headers)


def _bad_gateway(function: str, cause: str) -> GatewayFailure:
    return GatewayFailure("DEFAULT_5XX", "Internal server error", status=502, function=function, cause=cause)


def _throttle(bucket: TokenBucket | None) -> None:
    if bucket is not None and not bucket.take():
        raise GatewayFailure("THROTTLED", "Too Many Requests")


def _mock(integration: Mapping[str, Any]) -> Response:
    """A mock integration's response: the one its status selects, else the default, with literal headers."""
    responses = integration.get("responses") or {}
    response = responses.get(mock_status(integration)) or responses.get("default") or {}
    headers = []
    for name, expression in (response.get("responseParameters") or {}).items():
        if name.startswith("method.response.header.") and str(expression)[:1] == "'":
            headers.append((name.removeprefix("method.response.header."), str(expression)[1:-1]))
    templates = response.get("responseTemplates") or {}
    content_type = next(iter(templates), "application/json")
    headers.append(("Content-Type", content_type))
    return Response(int(response.get("statusCode", 200)), headers, str(templates.get(content_type, "")).encode())


async def _read_body(raw: web.BaseRequest) -> bytes | None:
    """The body, or None if it is over the limit."""
    if (raw.content_length or 0) > MAX_BODY:
        return None
    if not raw.body_exists:
        return b""
    chunks = []
    size = 0
    async for chunk in raw.content.iter_any():
        size += len(chunk)
        if size > MAX_BODY:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _header_size(raw: web.BaseRequest) -> int:
    return len(raw.method) + len(raw.raw_path) + sum(len(value) for _, value in raw.raw_headers)


def _plain_response(status: int, text: str) -> web.StreamResponse:
    """A response of the server itself; the rest of the request is not read."""
    response = HttpResponse(status=status, text=text)
    response.force_close()
    return response


def _request(raw: web.BaseRequest, body: bytes) -> Request:
    path, _, query = raw.raw_path.partition("#")[0].partition("?")
    if not path.startswith("/"):  # the absolute form, for proxies
        path = "/" + path.partition("://")[2].partition("/")[2]
    host, _, port = (raw.headers.get("Host") or "").rpartition(":")
    return Request(
        method=raw.method,
        path=path,
        query=query,
        headers=[(name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in raw.raw_headers],
        body=body,
        source_ip=raw.remote or "127.0.0.1",
        protocol=f"HTTP/{raw.version.major}.{raw.version.minor}",
        port=port if host and port.isdigit() else "80",
    )
