"""Lambda authorizers: which one is called, what its policy allows, and how long its response is cached.

Everything that is not an explicit Allow is rejected.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

from emulator.gateway_response import GatewayFailure
from emulator.proxy_event import Request
from emulator.runtime import FunctionNotFound, InvokeResult, PayloadTooLarge, Throttled
from emulator.stack import Api, Authorizer

_MAX_CACHED = 10_000

Invoke = Callable[[str, bytes], Awaitable[InvokeResult]]


class _InvalidResponse(Exception):
    """The authorizer's response is not valid for API Gateway."""


@dataclass(frozen=True)
class _Decision:
    policy: Mapping[str, Any]
    context: Mapping[str, str]  # as it goes into requestContext.authorizer
    latency: int  # ms the authorizer took


class Authorizers:
    """The authorizers of one API, with their cache."""

    def __init__(self, api: Api, invoke: Invoke, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._invoke = invoke
        self._clock = clock
        self._cache: dict[tuple[str, ...], tuple[float, _Decision]] = {}

    async def authorize(self, name: str, request: Request, event: Mapping[str, Any]) -> dict[str, Any]:
        """`requestContext.authorizer` for a request that may pass.

        `event` is the proxy event without body. Raises GatewayFailure for every other request.
        """
        authorizer = self._api.authorizers[name]
        identity = _identity(authorizer, request, event)
        method_arn = _method_arn(self._api, request)
        decision, cached = self._cached(authorizer, identity), True
        if decision is None:
            decision, cached = await self._invoke_authorizer(authorizer, identity, method_arn, event), False
            self._store(authorizer, identity, decision)
        context = {**decision.context, "integrationLatency": 0 if cached else decision.latency}
        verdict = evaluate(decision.policy, method_arn)
        if verdict is not True:
            message = "User is not authorized to access this resource"
            if verdict is False:
                message += " with an explicit deny"
            raise GatewayFailure("ACCESS_DENIED", message, context={**event["requestContext"], "authorizer": context})
        return context

    async def _invoke_authorizer(
        self, authorizer: Authorizer, identity: tuple[str, ...], method_arn: str, event: Mapping[str, Any]
    ) -> _Decision:
        authorizer_event: dict[str, Any] = {"type": authorizer.kind, "methodArn": method_arn}
        if authorizer.kind == "TOKEN":
            authorizer_event["authorizationToken"] = identity[0]
        else:
            authorizer_event.update(event)
        started = time.monotonic()
        try:
            result = await self._invoke(authorizer.function, json.dumps(authorizer_event).encode())
        except (Throttled, FunctionNotFound, PayloadTooLarge) as error:
            raise _misconfigured(authorizer, not_run_reason(error)) from None
        try:
            response = json.loads(result.payload)
        except ValueError:
            raise _misconfigured(authorizer, "its response is not JSON") from None
        if result.error is not None:
            if isinstance(response, dict) and response.get("errorMessage") == "Unauthorized":
                raise GatewayFailure("UNAUTHORIZED", "Unauthorized")
            raise GatewayFailure(
                "AUTHORIZER_FAILURE", None, function=authorizer.function, cause=f"the authorizer {failure_text(result)}"
            )
        try:
            policy, context = _read(response)
        except _InvalidResponse as error:
            raise _misconfigured(authorizer, str(error)) from None
        return _Decision(policy, context, int((time.monotonic() - started) * 1000))

    def _cached(self, authorizer: Authorizer, identity: tuple[str, ...]) -> _Decision | None:
        if not self._caches(authorizer, identity):
            return None
        key = (authorizer.name, *identity)
        expires, decision = self._cache.get(key, (0.0, None))
        if decision is not None and expires <= self._clock():
            del self._cache[key]
            return None
        return decision

    def _store(self, authorizer: Authorizer, identity: tuple[str, ...], decision: _Decision) -> None:
        if not self._caches(authorizer, identity):
            return
        now = self._clock()
        if len(self._cache) >= _MAX_CACHED:
            self._cache = {key: entry for key, entry in self._cache.items() if entry[0] > now}
        if len(self._cache) >= _MAX_CACHED:
            self._cache.clear()
        self._cache[(authorizer.name, *identity)] = now + authorizer.ttl, decision

    @staticmethod
    def _caches(authorizer: Authorizer, identity: tuple[str, ...]) -> bool:
        return authorizer.ttl > 0 and bool(identity)  # without an identity all callers would share one response


def _misconfigured(authorizer: Authorizer, reason: str) -> GatewayFailure:
    cause = f"the authorizer {authorizer.name}: {reason}"
    return GatewayFailure("AUTHORIZER_CONFIGURATION_ERROR", None, function=authorizer.function, cause=cause)


def not_run_reason(error: Exception) -> str:
    """Why a function was not run, for the log."""
    if isinstance(error, Throttled):
        return f"throttled, {error.reason}"
    return "there is no such function" if isinstance(error, FunctionNotFound) else str(error)


def failure_text(result: InvokeResult) -> str:
    """A function's failure for the log: its error document on one line."""
    try:
        document = json.loads(result.payload)
        text = f"{document.get('errorType') or result.error}: {document.get('errorMessage')}"
    except (ValueError, AttributeError):
        text = str(result.error)
    return f"failed: {' '.join(text.split())[:300]}"


def evaluate(policy: Mapping[str, Any], method_arn: str) -> bool | None:
    """True for an allow, False for an explicit deny, None if no statement matches the method."""
    allowed: bool | None = None
    for statement in _statements(policy):
        if not _matches(statement.get("Action"), "execute-api:Invoke", ignore_case=True):
            continue
        if not _matches(statement.get("Resource"), method_arn):
            continue
        if statement["Effect"] == "Deny":
            return False
        # Conditions are not evaluated: on a Deny above, one counts as met; on an Allow, as not met.
        if not statement.get("Condition"):
            allowed = True
    return allowed


def _read(response: Any) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """The policy and the context of an authorizer's response; raises _InvalidResponse."""
    if not isinstance(response, dict) or not isinstance(response.get("policyDocument"), dict):
        raise _InvalidResponse("its response has no policyDocument")
    if not isinstance(response.get("principalId"), str):
        raise _InvalidResponse("its response has no principalId")
    policy = response["policyDocument"]
    for statement in _statements(policy):
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise _InvalidResponse("a statement of its policy has no Effect")
        if "Action" not in statement or "Resource" not in statement:
            raise _InvalidResponse("a statement of its policy has no Action or no Resource")
    context = response.get("context") or {}
    if not isinstance(context, dict) or any(isinstance(value, (dict, list)) for value in context.values()):
        raise _InvalidResponse("its context has a value that is not text, a number or a boolean")
    texts = {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in context.items()
        if value is not None
    }
    return policy, {**texts, "principalId": response["principalId"]}


def _statements(policy: Mapping[str, Any]) -> list[Any]:
    statements = policy.get("Statement") or []
    return statements if isinstance(statements, list) else [statements]


def _matches(patterns: Any, value: str, ignore_case: bool = False) -> bool:
    if isinstance(patterns, str):
        patterns = [patterns]
    return any(
        isinstance(pattern, str) and _wildcards(pattern, ignore_case).fullmatch(value) is not None
        for pattern in patterns or ()
    )


@lru_cache(maxsize=4096)
def _wildcards(pattern: str, ignore_case: bool) -> "re.Pattern[str]":
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _identity(authorizer: Authorizer, request: Request, event: Mapping[str, Any]) -> tuple[str, ...]:
    """The values of the identity sources; one that is missing or empty is a 401 without a call to the authorizer."""
    values = []
    for source in authorizer.identity_sources:
        value = _source(source, request, event)
        if not value:
            raise GatewayFailure("UNAUTHORIZED", "Unauthorized")
        values.append(value)
    if authorizer.validation is not None and not re.fullmatch(authorizer.validation, values[0] if values else ""):
        raise GatewayFailure("UNAUTHORIZED", "Unauthorized")
    return tuple(values)


def _source(source: str, request: Request, event: Mapping[str, Any]) -> str | None:
    place, _, name = source.partition(".header.")
    if name and place == "method.request":
        return request.header(name)
    if source.startswith("method.request.querystring."):
        values = parse_qs(request.query).get(source.removeprefix("method.request.querystring."))
        return values[-1] if values else None
    if source.startswith("stageVariables."):
        return (event["stageVariables"] or {}).get(source.removeprefix("stageVariables."))
    if source.startswith("context."):
        found: Any = event["requestContext"]
        for part in source.removeprefix("context.").split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return None if found is None else str(found)
    return None


def _method_arn(api: Api, request: Request) -> str:
    path = request.path.removeprefix("/")
    return f"arn:aws:execute-api:{api.region}:{api.account}:{api.api_id}/{api.stage}/{request.method}/{path}"
