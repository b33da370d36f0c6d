"""Asynchronous invocations: retries, the age of an event, and where its outcome is sent.

Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation" and "Capturing records of
Lambda asynchronous invocations".
"""

import asyncio
import json
import logging
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from emulator.runtime import InvokeResult, PayloadTooLarge, Runtime, Throttled
from emulator.stack import Function, StackError
from emulator.triggers.sqs import Queue, QueueError

_log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0  # seconds between attempts to get through a throttle, doubling
_SEND_ATTEMPTS = 3


@dataclass(frozen=True)
class _Event:
    function: Function
    payload: bytes
    request_id: str
    client_context: str | None
    qualifier: str | None


class AsynchronousInvocations:
    """Runs events until they succeed or are given up. Events in progress at `close` are lost."""

    def __init__(self, runtime: Runtime, retry_delays: tuple[float, ...], aws_url: str | None) -> None:
        """`retry_delays` are the seconds before each retry of an event whose function failed."""
        self._runtime = runtime
        self._retry_delays = retry_delays
        self._aws_url = aws_url
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(
        self, name: str, payload: bytes, *, client_context: str | None = None, qualifier: str | None = None
    ) -> str:
        """Takes an event and returns its request id at once. Raises FunctionNotFound."""
        event = _Event(self._runtime.function(name), payload, str(uuid.uuid4()), client_context, qualifier)
        task = asyncio.create_task(self._run(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return event.request_id

    async def close(self) -> None:
        """Drops every event."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, event: _Event) -> None:
        function = event.function
        expires = time.monotonic() + function.async_age
        delays = iter(self._retry_delays[: function.async_retries])
        pause = _FIRST_PAUSE
        attempts = 0
        result: InvokeResult | None = None
        while True:
            condition = "EventAgeExceeded"
            try:
                result = await self._runtime.invoke(
                    function.name,
                    event.payload,
                    client_context=event.client_context,
                    request_id=event.request_id,
                    qualifier=event.qualifier,
                )
            except PayloadTooLarge:
                return
            except Throttled:  # does not count as an attempt
                if function.reserved_concurrency == 0:
                    condition = "RetriesExhausted"
                    break
                delay, pause = pause, min(2 * pause, _LONGEST_PAUSE)
            else:
                attempts += 1
                if result.error is None:
                    await self._send_record(event, function.on_success, "Success", attempts, result)
                    return
                next_delay = next(delays, None)
                if next_delay is None:
                    condition = "RetriesExhausted"
                    break
                delay = next_delay
            if time.monotonic() + delay > expires:
                break
            await asyncio.sleep(delay)
        await self._send_record(event, function.on_failure, condition, attempts, result)
        if function.dead_letters is not None:
            error = _error_of(result) or condition
            attributes = {"RequestID": event.request_id, "ErrorCode": "200", "ErrorMessage": error[:1024]}
            await self._send(function, function.dead_letters, event.payload, attributes)

    async def _send_record(
        self, event: _Event, address: str | None, condition: str, attempts: int, result: InvokeResult | None
    ) -> None:
        if address is not None:
            record = json.dumps(_record(event, condition, attempts, result)).encode()
            await self._send(event.function, address, record, {})

    async def _send(self, function: Function, address: str, body: bytes, attributes: dict[str, str]) -> None:
        if ":lambda:" in address:
            self.submit(address.split(":function:")[1].split(":")[0], body)
            return
        queue = Queue(address, self._aws_url or "")
        for attempt in range(_SEND_ATTEMPTS):
            try:
                await queue.send(body.decode(), attributes)
            except QueueError as error:
                if attempt == _SEND_ATTEMPTS - 1:
                    _log.warning("%s: a record of an asynchronous invocation is lost: %s", function.name, error)
                else:
                    await asyncio.sleep(2.0**attempt)
            else:
                return


def check_destinations(functions: "list[Function]", aws_url: str | None) -> None:
    """Raises StackError if a function has a queue as destination and there is no SQS endpoint."""
    for function in functions:
        for address in (function.on_success, function.on_failure, function.dead_letters):
            if address is not None and ":sqs:" in address and aws_url is None:
                place = "DeadLetterQueue" if address == function.dead_letters else "EventInvokeConfig.DestinationConfig"
                raise StackError(
                    f"Resources.{function.name}.Properties.{place}: {address} needs an AWS endpoint,"
                    " AWS_ENDPOINT_URL in the functions' environment"
                )


def _record(event: _Event, condition: str, attempts: int, result: InvokeResult | None) -> dict[str, Any]:
    qualifier = event.qualifier or event.function.version
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": f"{event.function.arn}:{qualifier}",
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": _json(event.payload),
    }
    if result is not None:
        record["responseContext"] = {"statusCode": 200, "executedVersion": event.function.version}
        if result.error is not None:
            record["responseContext"]["functionError"] = result.error
        record["responsePayload"] = _json(result.payload)
    return record


def _error_of(result: InvokeResult | None) -> str | None:
    document = _json(result.payload) if result is not None else None
    return str(document.get("errorMessage")) if isinstance(document, dict) else None


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode("utf-8", "replace")
