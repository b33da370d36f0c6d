"""A client of one running emulator: of its REST API and its Invoke API."""

import base64
import contextlib
import http.client
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.conformance.call_recorder import CallRecorder

_PATIENCE = 45.0  # seconds for any one answer; API Gateway itself gives up after 29


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first of that name, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def all(self, name: str) -> list[str]:
        """Every line of that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self) -> Any:
        """The body, where it is JSON; else a text that says what it is instead."""
        try:
            return json.loads(self.body)
        except ValueError:
            return f"no JSON: {self.body[:80]!r}"

    def brief(self) -> str:
        """For the table."""
        text = self.body[:90].decode(errors="replace").replace("\n", " ")
        return f"{self.status} {text}".strip()


@dataclass(frozen=True)
class Address:
    """Where a server is, and what its clients have to add."""

    host: str
    port: int
    prefix: str = ""  # before every path
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class EmulatorClient:
    """What the tests talk to."""

    name: str
    api: Address
    lambda_: Address
    recorder: CallRecorder
    functions: Mapping[str, str] = field(default_factory=dict)  # logical id -> name, where they differ
    has_triggers: bool = True  # Kafka and schedules, by its own documentation

    def http(
        self,
        path: str,
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Answer:
        """One request on a connection of its own, `path` sent exactly as given."""
        return _send(self.api, method, path, headers, body)

    def act(self, path: str = "/act", **event: Any) -> Answer:
        """POST an event for `act.handler`."""
        return self.http(path, "POST", [("Content-Type", "application/json")], json.dumps(event).encode())

    def invoke(self, function: str, event: Any = None, **headers: str) -> Answer:
        """Lambda's Invoke; `headers` are those of the API without their X-Amz-: Invocation_Type, Log_Type."""
        name = self.functions.get(function, function)
        lines = [(f"X-Amz-{key.replace('_', '-')}", value) for key, value in headers.items()]
        body = b"" if event is None else json.dumps(event).encode()
        return _send(self.lambda_, "POST", f"/2015-03-31/functions/{name}/invocations", lines, body)

    def lambda_http(self, path: str, body: bytes) -> Answer:
        """A POST to the Invoke API, `body` sent exactly as given."""
        return _send(self.lambda_, "POST", path, [], body)

    def log_tail(self, answer: Answer) -> str:
        """What LogType Tail brought."""
        return base64.b64decode(answer.header("X-Amz-Log-Result") or "").decode(errors="replace")


def new_key() -> str:
    """A key for the recorder that nothing else uses."""
    return secrets.token_hex(6)


def _send(to: Address, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answer:
    connection = http.client.HTTPConnection(to.host, to.port, timeout=_PATIENCE)
    given = {name.lower() for name, _ in headers}
    try:
        connection.putrequest(method, to.prefix + path, skip_host="Host" in to.headers, skip_accept_encoding=True)
        for name, value in [*to.headers.items(), *headers]:
            connection.putheader(name, value)
        if "content-length" not in given and (body or method in ("POST", "PUT")):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(body)  # where it is refused before it was read, the answer may be there all the same
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()
