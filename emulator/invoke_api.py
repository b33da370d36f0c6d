"""The Lambda Invoke API, for boto3 and the AWS CLI with an endpoint URL.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

import base64
import json
import re
import uuid
from urllib.parse import unquote

from aiohttp import web

from emulator.activity import TRIGGER_USER_AGENT, Activity
from emulator.asynchronous import AsynchronousInvocations
from emulator.http_server import HttpServer, Response
from emulator.runtime import MAX_REQUEST, FunctionNotFound, Runtime, Throttled
from emulator.stack import Function

MAX_ASYNC_REQUEST = 1_048_576  # bytes

_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")
# A name, a partial ARN "account:function:name" or a full ARN; each may end in ":qualifier".
_NAME = re.compile(r"(?:(?:arn:[\w-]+:lambda:[\w-]+:)?\d{12}:function:|function:)?([\w-]+)(?::([$\w-]+))?")


class _ApiError(Exception):
    def __init__(self, status: int, kind: str, message: str, **more: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.document = status, kind, {"Type": "User", "message": message, **more}


class InvokeApi:
    """Invokes functions for callers on this machine. `start` it on a host and port, `close` it."""

    def __init__(self, runtime: Runtime, events: AsynchronousInvocations, activity: Activity | None = None) -> None:
        """Invocations of type Event go to `events`. Calls from outside, not of triggers, are noted as `activity`."""
        self._activity = activity or Activity()
        self._runtime = runtime
        self._events = events
        self._server = HttpServer(self._serve)

    async def start(self, host: str, port: int) -> int:
        """Listens, and returns the port; raises StackError if it is taken."""
        return await self._server.listen("the Invoke API", host, port)

    async def close(self) -> None:
        """Stops listening."""
        await self._server.close()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._invoke(request)
        except _ApiError as error:
            return Response(
                body=json.dumps(error.document).encode(),
                status=error.status,
                content_type="application/json",
                headers={"x-amzn-ErrorType": error.kind, "x-amzn-RequestId": str(uuid.uuid4())},
            )

    async def _invoke(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("User-Agent") != TRIGGER_USER_AGENT:
            self._activity.note()
        path = _PATH.fullmatch(request.raw_path.partition("?")[0])
        if path is None or request.method != "POST":
            raise _ApiError(404, "UnknownOperationException", "only Invoke is emulated here")
        function, qualifier = self._function(unquote(path.group(1)), request.query.get("Qualifier"))
        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if kind not in ("DryRun", "Event", "RequestResponse"):
            raise _ApiError(400, "InvalidParameterValueException", f"{kind} is not an invocation type")
        limit = MAX_ASYNC_REQUEST if kind == "Event" else MAX_REQUEST
        payload = await _read(request, limit)
        if len(payload) > limit:
            message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
            raise _ApiError(413, "RequestTooLargeException", message)
        _check_json(payload)
        client_context = _client_context(request.headers.get("X-Amz-Client-Context"))
        if kind == "DryRun":
            return _empty(204, str(uuid.uuid4()), function)
        if kind == "Event":
            request_id = self._events.submit(
                function.name, payload or b"{}", client_context=client_context, qualifier=qualifier
            )
            return _empty(202, request_id, function)
        want_log = request.headers.get("X-Amz-Log-Type") == "Tail"
        try:
            result = await self._runtime.invoke(
                function.name,
                payload or b"{}",
                client_context=client_context,
                trace_id=request.headers.get("X-Amzn-Trace-Id"),
                want_log=want_log,
                qualifier=qualifier,
            )
        except Throttled as throttled:
            raise _ApiError(429, "TooManyRequestsException", "Rate Exceeded.", Reason=throttled.reason) from None
        headers = {
            "Content-Type": "application/json",
            "x-amzn-RequestId": result.request_id,
            "X-Amz-Executed-Version": function.version,
        }
        if result.error is not None:
            headers["X-Amz-Function-Error"] = result.error
        if want_log:
            headers["X-Amz-Log-Result"] = base64.b64encode(result.log_tail).decode()
        return Response(body=result.payload, headers=headers)

    def _function(self, name: str, qualifier: str | None) -> tuple[Function, str | None]:
        parts = _NAME.fullmatch(name)
        try:
            if parts is not None:
                function = self._runtime.function(parts.group(1))
                qualifier = parts.group(2) or qualifier
                if qualifier in (None, "$LATEST", function.version, *function.aliases):
                    return function, qualifier
                name = f"{function.arn}:{qualifier}"
        except FunctionNotFound:
            pass
        raise _ApiError(404, "ResourceNotFoundException", f"Function not found: {name}")


async def _read(request: web.BaseRequest, limit: int) -> bytes:
    """The body; if it is over the limit, only a little more than the limit."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            break
    return bytes(body)


def _check_json(payload: bytes) -> None:
    if payload:
        try:
            json.loads(payload)
        except ValueError as error:
            message = f"Could not parse request body into json: {error}"
            raise _ApiError(400, "InvalidRequestContentException", message) from None


def _client_context(header: str | None) -> str | None:
    """The header is base64 of a JSON document; the runtime gets the document."""
    if header is None:
        return None
    try:
        text = base64.b64decode(header, validate=True).decode()
        json.loads(text)
    except ValueError:
        raise _ApiError(400, "InvalidRequestContentException", "Client context is not base64 of JSON") from None
    return text


def _empty(status: int, request_id: str, function: Function) -> web.Response:
    headers = {"x-amzn-RequestId": request_id, "X-Amz-Executed-Version": function.version}
    return Response(status=status, headers=headers)
