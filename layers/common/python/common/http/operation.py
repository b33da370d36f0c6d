"""What a handler declares: what it takes, returns and raises. `endpoint` acts on it; the OpenAPI document shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from common.domain.model import Model
from common.domain.shared_errors import (
    BotSuspected,
    CaptchaFailed,
    CaptchaRequired,
    DomainError,
    Forbidden,
    InternalError,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    ServiceUnavailable,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TokenRevoked,
    UnsupportedMediaType,
)
from common.http.request import Admin, Body, Path, Query, User
from common.protection.rate_class import RateClass

Limit = RateClass | Literal["by method"] | None
Responses = Mapping[int, type[Model] | str | None]  # by status: a model, a media type of its own, or no body
TakenT = TypeVar("TakenT")

FOLLOWS: Mapping[type, Sequence[type[DomainError]]] = {  # what may be raised when a handler takes it
    User: (TokenMissing, TokenExpired, TokenInvalid, TokenRevoked),
    Admin: (Forbidden,),
    Body: (InvalidInput, UnsupportedMediaType),
    Query: (InvalidInput,),
    Path: (NotFound,),
}
BOT_CHECK = (CaptchaRequired, CaptchaFailed, BotSuspected)
# The body's size, the gateway's own throttle and a bug can end any request.
ALWAYS = (PayloadTooLarge, RateLimited, InternalError, ServiceUnavailable)


@dataclass(frozen=True)
class Operation:
    parameters: Mapping[str, Any]  # kinds by name
    returns: Any
    limit: Limit
    raises: Sequence[type[DomainError]]
    responses: Responses
    bot_check: bool = False

    def taken(self, base: type[TakenT]) -> type[TakenT] | None:
        """The kind it takes that is a `base`: `LoginBody` for Body, of a `LogoutBody | None` too."""
        kinds = (part for kind in self.parameters.values() for part in get_args(kind) or (kind,))
        return next((kind for kind in kinds if issubclass(kind, base)), None)

    def errors(self) -> list[type[DomainError]]:
        """Every error it may end with: its own, and those that follow from what it takes."""
        derived = (each for base, errors in FOLLOWS.items() if self.taken(base) for each in errors)
        bot_check = BOT_CHECK if self.bot_check else ()
        return list(dict.fromkeys([*derived, *self.raises, *bot_check, *ALWAYS]))
