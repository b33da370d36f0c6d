"""The gateway's REQUEST authorizer: who is calling, asked before every function that wants to know (GW-002, GW-025).

A good token is answered with leave for the whole API, since the gateway may keep the answer for other methods; a bad
one with a Deny whose context the template's ACCESS_DENIED response turns into our 401. When nobody can tell, because
Redis or the keys are away, it raises, and the gateway answers 503: it fails closed.
"""

import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

from common.domain.model import rfc3339
from common.domain.shared_errors import DomainError, TokenMissing
from common.http.error_catalogue import ERROR_CATALOGUE
from common.http.request import Request
from common.runtime.log import log
from common.runtime.settings import Settings
from common.stores import redis
from common.stores.secrets import secret
from functions.auth.adapters.access_token_jwt import AccessTokenVerifier, Claims, Parties, PublicKey
from functions.auth.adapters.token_blacklist_redis import Blacklist

_BLANK = " \t"  # around a header's value (RFC 9110, 5.5); Python would strip more


class VerificationSettings(Settings):
    token_issuer: str
    token_audience: str


def _verification_keys() -> list[PublicKey]:
    keys: list[PublicKey] = secret("jwt/verification")["keys"]
    return keys


@cache
def verifier() -> AccessTokenVerifier:
    settings = VerificationSettings.from_environment()
    parties = Parties(settings.token_issuer, settings.token_audience)
    return AccessTokenVerifier(_verification_keys, parties, Blacklist(redis.client()).holds)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    started = time.perf_counter()
    request = Request.of(event)
    # In place of the keys of the request before.
    log.structure_logs(trace_id=request.trace_id, method=event.get("httpMethod"), path=event.get("path"))
    try:
        claims = verifier().verify(_bearer_token(request))
    except DomainError as refusal:
        decision = _deny(event, request, refusal)
        outcome, user_id = refusal.code, None
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
    """RFC 6750, 2.1. Another scheme is as good as none."""
    scheme, _, token = request.headers.get("authorization", "").strip(_BLANK).partition(" ")
    if scheme.lower() != "bearer" or not token.strip(_BLANK):
        raise TokenMissing()
    return token.strip(_BLANK)


def _allow(event: dict[str, Any], claims: Claims) -> dict[str, Any]:
    # What `common.http.request.User` reads; the gateway hands every value on as a string.
    context = {
        "sub": str(claims.user_id),
        "role": claims.role.value,
        "sid": str(claims.session_id),
        "jti": claims.token_id,
        "exp": claims.expires_at,
    }
    return _policy("Allow", event, str(claims.user_id), context)


def _deny(event: dict[str, Any], request: Request, refusal: DomainError) -> dict[str, Any]:
    # The gateway pastes these into JSON as they are: none may contain a quote or a backslash.
    context = {
        "code": refusal.code,
        "message": ERROR_CATALOGUE[refusal.code].text(request.language),
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
