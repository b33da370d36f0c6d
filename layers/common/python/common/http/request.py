"""What a handler can take from an API Gateway proxy event (version 1.0).

A handler says what it needs by the types of its parameters; `endpoint` reads the signature and fills them: a `Body`, a
`Query`, a `Path`, the logged-in `User` (or `Admin`), and the raw `Request` for headers.
"""

from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self, TypeVar
from uuid import UUID, uuid4

from pydantic import Field, ValidationError

from common.domain.ids import SessionId, UserId
from common.domain.model import ClosedModel, Model
from common.domain.shared_errors import (
    Forbidden,
    InvalidInput,
    NotFound,
    TokenMissing,
    UnsupportedMediaType,
)

ParsedT = TypeVar("ParsedT", bound=Model)


class Body(ClosedModel):
    """The JSON body of a request."""


class Query(ClosedModel):
    """The query string. If a parameter is repeated, the last one counts; an unknown one is rejected."""


class Path(Model):
    """The variables of the route, `/reservations/{id}`."""


class IdPath(Path):
    id: UUID


class Paging(Query):
    """`page` counts from 0; `size` is at most 100."""

    page: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    size: Annotated[int, Field(ge=1, le=100)] = 20

    @property
    def offset(self) -> int:
        return self.page * self.size


@dataclass(frozen=True)
class Request:
    """The proxy event made regular: header names in lower case, an empty map instead of None."""

    event: dict[str, Any]
    headers: dict[str, str]
    trace_id: str

    @classmethod
    def of(cls, event: dict[str, Any]) -> Self:
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        return cls(event, headers, _trace_id(headers, event))

    @property
    def language(self) -> str:
        """`en` if the client prefers it to Korean, else `ko` (RFC 9110, 12.5.4)."""
        best, best_weight = "ko", 0.0
        for choice in self.headers.get("accept-language", "").split(","):
            tag, _, parameter = choice.strip().partition(";")
            try:
                weight = float(parameter.strip().removeprefix("q=") or 1)
            except ValueError:
                continue
            language = tag.lower().split("-")[0]
            if language in ("ko", "en") and weight > best_weight:
                best, best_weight = language, weight
        return best

    @property
    def source_ip(self) -> str:
        return str(self.event.get("requestContext", {}).get("identity", {}).get("sourceIp", ""))

    @property
    def raw_body(self) -> bytes:
        """The body as it was sent. Raises InvalidInput if it is not valid base64."""
        body = self.event.get("body") or ""
        if self.event.get("isBase64Encoded"):
            try:
                return b64decode(body, validate=True)
            except (BadBase64, ValueError):
                raise InvalidInput() from None
        # A lone surrogate has no bytes in UTF-8; the JSON parser rejects these bytes with its own message.
        return str(body).encode("utf-8", "surrogatepass")

    @property
    def queue_token(self) -> str | None:
        return self.headers.get("x-queue-token")


def _trace_id(headers: Mapping[str, str], event: Mapping[str, Any]) -> str:
    """The client's `X-Trace-Id` if it is a UUID, else the gateway's request id (GW-010)."""
    for offered in (headers.get("x-trace-id"), event.get("requestContext", {}).get("requestId")):
        try:
            return str(UUID(offered))
        except (ValueError, TypeError, AttributeError):
            continue
    return str(uuid4())


@dataclass(frozen=True)
class User:
    """The caller, as the authorizer identified them."""

    id: UserId
    role: str
    session_id: SessionId  # the access token's `sid`
    token_id: str  # its `jti`
    token_expires_at: int  # epoch seconds

    @classmethod
    def of(cls, event: dict[str, Any]) -> Self:
        claims = event.get("requestContext", {}).get("authorizer") or {}
        try:
            user_id, session_id = UserId(UUID(claims["sub"])), SessionId(UUID(claims["sid"]))
            return cls(user_id, claims["role"], session_id, claims["jti"], int(claims["exp"]))
        except (KeyError, ValueError):
            # Only a route that was deployed without its authorizer gets here: fail closed.
            raise TokenMissing() from None


@dataclass(frozen=True)
class Admin(User):
    """A user of role ADMIN (GW-020)."""

    @classmethod
    def of(cls, event: dict[str, Any]) -> Self:
        user = super().of(event)
        if user.role != "ADMIN":
            raise Forbidden()
        return user


def invalid_input(error: ValidationError) -> InvalidInput:
    """The fields with errors and the reasons, without the values, which may be secrets."""
    return InvalidInput(
        [
            {"field": ".".join(str(part) for part in fault["loc"]) or "body", "reason": fault["msg"]}
            for fault in error.errors(include_url=False, include_context=False, include_input=False)[:20]
        ],
    )


def parse_body(kind: type[ParsedT], request: Request) -> ParsedT:
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType()
    try:
        # As in the OpenAPI document: no "1" for 1, and only the names that are in it.
        return kind.model_validate_json(request.raw_body, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise invalid_input(error) from None


def parse_query(kind: type[ParsedT], request: Request) -> ParsedT:
    try:
        return kind.model_validate(request.event.get("queryStringParameters") or {}, by_alias=True, by_name=False)
    except ValidationError as error:
        raise invalid_input(error) from None


def parse_path(kind: type[ParsedT], request: Request) -> ParsedT:
    """Raises NotFound for a malformed id, as for an id that does not exist."""
    try:
        return kind.model_validate(request.event.get("pathParameters") or {}, by_alias=True, by_name=False)
    except ValidationError:
        raise NotFound() from None
