"""The client of a Lambda Invoke endpoint, this emulator's or another."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

import aiohttp

from emulator.activity import TRIGGER_USER_AGENT


@dataclass(frozen=True)
class InvokeResponse:
    """The result of an invocation. `error` is None if the function returned, or the event was accepted."""

    payload: bytes = b""
    error: str | None = None
    function_error: str | None = None  # "Unhandled": the function itself ran and failed; `error` says more
    status: int | None = None  # of HTTP; None without a response


class LambdaEndpoint:
    """Calls functions at `url`. `names` maps names in the template to names there, if they differ.

    An asynchronous context manager.
    """

    def __init__(self, url: str, names: Mapping[str, str] | None = None) -> None:
        self._url = url.rstrip("/")
        self._names = names or {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "LambdaEndpoint":
        # No own limits: a function may take 15 minutes, and the endpoint limits concurrency.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            headers={"User-Agent": TRIGGER_USER_AGENT},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._session
        await self._session.close()

    async def invoke(self, function: str, payload: bytes, *, asynchronous: bool = False) -> InvokeResponse:
        """Invokes once. Every failure, from a refused connection to a handler's exception, is in `error`."""
        assert self._session
        kind = "Event" if asynchronous else "RequestResponse"
        headers = {"X-Amz-Invocation-Type": kind, "Content-Type": "application/json"}
        url = f"{self._url}/2015-03-31/functions/{self._names.get(function, function)}/invocations"
        try:
            async with self._session.post(url, data=payload, headers=headers) as response:
                body = await response.read()
        except (TimeoutError, aiohttp.ClientError) as error:
            return InvokeResponse(error=f"{type(error).__name__}: {error}")
        if response.status >= 300:
            text = f"HTTP {response.status}: {body[:500].decode(errors='replace')}"
            return InvokeResponse(body, text, status=response.status)
        failed = response.headers.get("X-Amz-Function-Error")
        if failed:
            text = f"{failed}: {body[:500].decode(errors='replace')}"
            return InvokeResponse(body, text, failed, response.status)
        return InvokeResponse(body, status=response.status)
