"""What AWS documents, one statement at a time, each with the check that asks an emulator for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tools.conformance.emulator_client import EmulatorClient

Check = Callable[[EmulatorClient], None]
_LONGEST = 170  # characters of an answer in the table


class Differs(Exception):
    """The emulator answered, and not as AWS does. The message is what it answered."""


@dataclass(frozen=True)
class Behaviour:
    """One row of the table."""

    area: str
    statement: str
    doc: str  # where AWS says so; a key of SOURCES
    check: Check
    feature: str | None = None  # what an emulator must have for the question to make sense
    begin: Check | None = None  # asked first, before everything else: the check comes at the end
    late: bool = False  # looked at after everything else
    slow: bool = False  # takes over ten seconds

    @property
    def name(self) -> str:
        """Of the check, for test ids: `authorizers.deny`."""
        return f"{self.check.__module__.rpartition('.')[2]}.{self.check.__name__.removeprefix('_')}"


REGISTERED: list[Behaviour] = []

_LAMBDA = "https://docs.aws.amazon.com/lambda/latest"
_GATEWAY = "https://docs.aws.amazon.com/apigateway/latest/developerguide"
SOURCES = {
    "proxy": f"{_GATEWAY}/set-up-lambda-proxy-integrations.html",
    "context": f"{_GATEWAY}/api-gateway-mapping-template-reference.html",
    "known issues": f"{_GATEWAY}/api-gateway-known-issues.html",
    # Not documented; captured from live APIs, in the words of a pull request.
    "live captures": "https://github.com/middleapi/standard-server/pull/93",
    "binary": f"{_GATEWAY}/api-gateway-payload-encodings.html",
    "authorizer": f"{_GATEWAY}/apigateway-use-lambda-authorizer.html",
    "authorizer output": f"{_GATEWAY}/api-gateway-lambda-authorizer-output.html",
    "gateway responses": f"{_GATEWAY}/supported-gateway-response-types.html",
    "response mapping": f"{_GATEWAY}/api-gateway-gatewayResponse-definition.html",
    "errors": f"{_GATEWAY}/handle-errors-in-lambda-integration.html",
    "quotas": f"{_GATEWAY}/limits.html",
    "timeout": f"{_GATEWAY}/api-gateway-execution-service-limits-table.html",
    "cors": f"{_GATEWAY}/how-to-cors.html",
    "compression": f"{_GATEWAY}/api-gateway-gzip-compression-decompression.html",
    "throttling": f"{_GATEWAY}/api-gateway-request-throttling.html",
    "invoke": f"{_LAMBDA}/api/API_Invoke.html",
    "lambda quotas": f"{_LAMBDA}/dg/gettingstarted-limits.html",
    "runtime api": f"{_LAMBDA}/dg/runtimes-api.html",
    "lifecycle": f"{_LAMBDA}/dg/lambda-runtime-environment.html",
    "async": f"{_LAMBDA}/dg/invocation-async-error-handling.html",
    "concurrency": f"{_LAMBDA}/dg/configuration-concurrency.html",
    "environment": f"{_LAMBDA}/dg/configuration-envvars.html",
    "python context": f"{_LAMBDA}/dg/python-context.html",
    "python errors": f"{_LAMBDA}/dg/python-exceptions.html",
    "layers": f"{_LAMBDA}/dg/packaging-layers.html",
    "memory": f"{_LAMBDA}/dg/configuration-memory.html",
    "kafka": f"{_LAMBDA}/dg/with-kafka.html",
    "scheduler": "https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html",
}


def behaviour(area: str, statement: str, doc: str, **more: Any) -> Callable[[Check], Check]:
    """Puts a check among the registered."""
    if doc not in SOURCES:
        raise KeyError(doc)

    def register(check: Check) -> Check:
        REGISTERED.append(Behaviour(area, statement, doc, check, **more))
        return check

    return register


def expect(actual: object, wanted: object, what: str) -> None:
    """Raises Differs where they are not equal."""
    if actual != wanted:
        raise Differs(f"{what} {shorten(repr(actual))}")


def require(condition: object, answered: str) -> None:
    """Raises Differs with what was answered, where the condition does not hold."""
    if not condition:
        raise Differs(answered)


def shorten(text: str) -> str:
    """Fit for a cell of the table."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
