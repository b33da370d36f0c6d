"""The Lambda Invoke API, for boto3 and the AWS CLI with an endpoint URL.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

import asyncio
import base64
import json
import re
import uuid
from urllib.parse import unquote

from aiohttp import web

from emulator.runtime import MAX_REQUEST, FunctionNotFound, PayloadTooLarge, Runtime, Throttled
from emulator.stack import Function, StackError

MAX_ASYNC_REQUEST = 1_048_576  # bytes

_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations/?")
# A name, a partial ARN "account:function:name" or a whole one; each may end in ":qualifier".
_NAME = re.compile(r"(?:(?:arn:[\w-]+:lambda:[\w-]+:)?\d{12}:function:|function:)?([\w-]+)(?::([$\w-]+))?")
_THROTTLED_PAUSE = 1.0  # seconds; Lambda waits longer each time, up to five minutes, for six hours


class _Refused(Exception):
    def __init__(self, status: int, kind: str, message: str, **more: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.document = status, kind, {"Type": "User", "message": message, **more}


class InvokeApi:
    """Invokes functions for callers on this machine. `start` it on a host and port, `close` it."""

    def __init__(self, runtime: Runtime, retry_delays: tuple[float, ...] = (60.0, 120.0)) -> None:
        """`retry_delays` are the seconds before each retry of an asynchronous invocation whose function failed."""
        self._runtime = runtime
        self._retry_delays = retry_delays
        self._server = web.Server(self._serve, access_log=None)
        self._listener: asyncio.Server | None = None
        self._events: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listens, and returns the port; raises StackError where it is taken."""
        try:
            self._listener = await asyncio.get_running_loop().create_server(self._server, host, port, backlog=1024)
        except OSError as error:
            raise StackError(f"the Invoke API: {host}:{port} cannot be listened on: {error.strerror}") from None
        listening: int = self._listener.sockets[0].getsockname()[1]
        return listening

    async def close(self) -> None:
        """Stops listening. Events not yet run, and retries not yet due, are lost."""
        if self._listener is not None:
            self._listener.close()
        await self._server.shutdown(timeout=0.2)
        for event in self._events:
            event.cancel()
        await asyncio.gather(*self._events, return_exceptions=True)

    def submit(self, name: str, payload: bytes) -> str:
        """Runs the function soon, with retries, as InvocationType Event does; returns the request id at once.

        Raises FunctionNotFound.
        """
        function = self._runtime.function(name)
        request_id = str(uuid.uuid4())
        event = asyncio.create_task(self._run_event(function, payload, request_id, None))
        self._events.add(event)
        event.add_done_callback(self._events.discard)
        return request_id

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._invoke(request)
        except _Refused as refused:
            return web.json_response(
                refused.document,
                status=refused.status,
                headers={"x-amzn-ErrorType": refused.kind, "x-amzn-RequestId": str(uuid.uuid4())},
            )

    async def _invoke(self, request: web.BaseRequest) -> web.StreamResponse:
        path = _PATH.fullmatch(request.raw_path.partition("?")[0])
        if path is None or request.method != "POST":
            raise _Refused(404, "UnknownOperationException", "only Invoke is emulated here")
        function = self._function(unquote(path.group(1)))
        payload = await request.content.read()
        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        limit = MAX_ASYNC_REQUEST if kind == "Event" else MAX_REQUEST
        if len(payload) > limit:
            message = f"{len(payload)} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
            raise _Refused(413, "RequestTooLargeException", message)
        _check_json(payload)
        if kind == "DryRun":
            return _empty(204, str(uuid.uuid4()))
        if kind == "Event":
            return _empty(202, self.submit(function.name, payload or b"{}"))
        if kind != "RequestResponse":
            raise _Refused(400, "InvalidParameterValueException", f"{kind} is not an invocation type")
        want_log = request.headers.get("X-Amz-Log-Type") == "Tail"
        try:
            result = await self._runtime.invoke(
                function.name,
                payload or b"{}",
                client_context=_client_context(request.headers.get("X-Amz-Client-Context")),
                trace_id=request.headers.get("X-Amzn-Trace-Id"),
                want_log=want_log,
            )
        except Throttled as throttled:
            raise _Refused(429, "TooManyRequestsException", "Rate Exceeded.", Reason=throttled.reason) from None
        headers = {
            "Content-Type": "application/json",
            "x-amzn-RequestId": result.request_id,
            "X-Amz-Executed-Version": "$LATEST",
        }
        if result.error is not None:
            headers["X-Amz-Function-Error"] = result.error
        if want_log:
            headers["X-Amz-Log-Result"] = base64.b64encode(result.log_tail).decode()
        return web.Response(body=result.payload, headers=headers)

    def _function(self, name: str) -> Function:
        parts = _NAME.fullmatch(name)
        try:
            if parts is not None:
                return self._runtime.function(parts.group(1))
        except FunctionNotFound:
            pass
        raise _Refused(404, "ResourceNotFoundException", f"Function not found: {name}")

    async def _run_event(self, function: Function, payload: bytes, request_id: str, client_context: str | None) -> None:
        """Until it succeeds or its retries are used up. A throttle is no attempt: it is tried until it gets through."""
        delays = iter(self._retry_delays[: function.async_retries])
        while True:
            try:
                result = await self._runtime.invoke(
                    function.name, payload, client_context=client_context, request_id=request_id
                )
            except Throttled:
                await asyncio.sleep(_THROTTLED_PAUSE)
                continue
            except PayloadTooLarge:
                return
            if result.error is None:
                return
            delay = next(delays, None)
            if delay is None:
                return
            await asyncio.sleep(delay)


def _check_json(payload: bytes) -> None:
    if payload:
        try:
            json.loads(payload)
        except ValueError as error:
            message = f"Could not parse request body into json: {error}"
            raise _Refused(400, "InvalidRequestContentException", message) from None


def _client_context(header: str | None) -> str | None:
    """The header is base64 of a JSON document; the runtime gets the document."""
    if header is None:
        return None
    try:
        text = base64.b64decode(header, validate=True).decode()
        json.loads(text)
    except ValueError:
        raise _Refused(400, "InvalidRequestContentException", "Client context is not base64 of JSON") from None
    return text


def _empty(status: int, request_id: str) -> web.Response:
    return web.Response(status=status, headers={"x-amzn-RequestId": request_id, "X-Amz-Executed-Version": "$LATEST"})
