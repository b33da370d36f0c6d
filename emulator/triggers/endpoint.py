"""A Lambda Invoke endpoint, ours or anyone's."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

import aiohttp

from emulator.activity import TRIGGERS


@dataclass(frozen=True)
class Answer:
    """What an invocation came to. `error` is None when the function ran and returned, or the event was accepted."""

    payload: bytes = b""
    error: str | None = None
    function_error: str | None = None  # "Unhandled": the function itself ran and failed; `error` says more
    status: int | None = None  # of HTTP; None where nothing answered


class LambdaEndpoint:
    """Calls functions at `url`, by their names in the template or what `names` says they are called there.

    An asynchronous context manager.
    """

    def __init__(self, url: str, names: Mapping[str, str] | None = None) -> None:
        self._url = url.rstrip("/")
        self._names = names or {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "LambdaEndpoint":
        # No limits of ours: a function may take 15 minutes, and how many run at once is the endpoint's to decide.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            headers={"User-Agent": TRIGGERS},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._session
        await self._session.close()

    async def invoke(self, function: str, payload: bytes, *, asynchronous: bool = False) -> Answer:
        """Invokes once. Every failure, from a refused connection to a handler's exception, is an answer's `error`."""
        assert self._session
        kind = "Event" if asynchronous else "RequestResponse"
        headers = {"X-Amz-Invocation-Type": kind, "Content-Type": "application/json"}
        url = f"{self._url}/2015-03-31/functions/{self._names.get(function, function)}/invocations"
        try:
            async with self._session.post(url, data=payload, headers=headers) as response:
                body = await response.read()
        except (TimeoutError, aiohttp.ClientError) as error:
            return Answer(error=f"{type(error).__name__}: {error}")
        if response.status >= 300:
            told = f"HTTP {response.status}: {body[:500].decode(errors='replace')}"
            return Answer(body, told, status=response.status)
        failed = response.headers.get("X-Amz-Function-Error")
        if failed:
            told = f"{failed}: {body[:500].decode(errors='replace')}"
            return Answer(body, told, failed, response.status)
        return Answer(body, status=response.status)
