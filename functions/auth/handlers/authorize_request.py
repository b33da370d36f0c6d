"""The gateway's REQUEST authorizer: it identifies the caller before every function that needs a user (GW-002, GW-025).

A valid token gets an Allow for the whole API, since the gateway may cache the policy for other methods; any other gets
a Deny whose context the template's ACCESS_DENIED response turns into our 401. If the token cannot be checked because
Redis or the keys are unavailable, it raises and the gateway returns 503: it fails closed.
"""

import time
from datetime import UTC, datetime
from typing import Any

from common.domain.model import rfc3339
from common.domain.shared_errors import DomainError, TokenMissing
from common.http.error_catalogue import ERROR_CATALOGUE
from common.http.request import Request
from common.runtime.log import log
from functions.auth.domain.token_claims import TokenClaims
from functions.auth.wiring.access_token_verification import access_token_verifier

_BLANK = " \t"  # around a header's value (RFC 9110, 5.5); Python would strip more


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    started = time.perf_counter()
    request = Request.of(event)
    # Replaces the keys of the previous request.
    log.structure_logs(trace_id=request.trace_id, method=event.get("httpMethod"), path=event.get("path"))
    try:
        claims = access_token_verifier().verify(_bearer_token(request))
    except DomainError as error:
        decision = _deny(event, request, error)
        outcome, user_id = error.code, None
    except Exception:
        log.exception("cannot authorize")
        raise
    else:
        decision = _allow(event, claims)
        outcome, user_id = "ALLOWED", str(claims.user_id)
    elapsed_ms = round((time.perf_counter() - started) * 1000, 1)
    log.info("authorized", extra={"outcome": outcome, "user_id": user_id, "duration_ms": elapsed_ms})
    return decision


def _bearer_token(request: Request) -> str:
    """RFC 6750, 2.1. Another scheme counts as no token."""
    scheme, _, token = request.headers.get("authorization", "").strip(_BLANK).partition(" ")
    if scheme.lower() != "bearer" or not token.strip(_BLANK):
        raise TokenMissing()
    return token.strip(_BLANK)


def _allow(event: dict[str, Any], claims: TokenClaims) -> dict[str, Any]:
    # What `common.http.request.User` reads; the gateway passes every value on as a string.
    context = {
        "sub": str(claims.user_id),
        "role": claims.role.value,
        "sid": str(claims.session_id),
        "jti": claims.token_id,
        "exp": claims.expires_at,
    }
    return _policy("Allow", event, str(claims.user_id), context)


def _deny(event: dict[str, Any], request: Request, error: DomainError) -> dict[str, Any]:
    # The gateway copies these into JSON without escaping: none may contain a quote or a backslash.
    context = {
        "code": error.code,
        "message": ERROR_CATALOGUE[error.code].text(request.language),
        "traceId": request.trace_id,
        "timestamp": rfc3339(datetime.now(UTC)),
    }
    return _policy("Deny", event, "nobody", context)


def _policy(effect: str, event: dict[str, Any], principal: str, context: dict[str, Any]) -> dict[str, Any]:
    api_and_stage = "/".join(event["methodArn"].split("/")[:2])
    return {
        "principalId": principal,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": f"{api_and_stage}/*"}],
        },
        "context": context,
    }
