"""What a handler declares: what it takes, answers and refuses. The edge acts on it, the OpenAPI document tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from common.domain.model import Model
from common.domain.problem import (
    BOT_SUSPECTED,
    CAPTCHA_FAILED,
    CAPTCHA_REQUIRED,
    FORBIDDEN,
    INTERNAL_ERROR,
    NOT_FOUND,
    PAYLOAD_TOO_LARGE,
    SERVICE_UNAVAILABLE,
    TOKEN_EXPIRED,
    TOKEN_INVALID,
    TOKEN_MISSING,
    TOKEN_REVOKED,
    UNSUPPORTED_MEDIA_TYPE,
    VALIDATION_ERROR,
    Problem,
)
from common.http.request import Admin, Body, Path, Query, User
from common.protection.rate_class import RATE_LIMITED, RouteClass

Limit = RouteClass | Literal["by method"] | None
Answers = Mapping[int, type[Model] | str | None]  # by status: a model, a media type of its own, or no body
TakenT = TypeVar("TakenT")

FOLLOWS: Mapping[type, Sequence[Problem]] = {  # what asking for it can be refused with
    User: (TOKEN_MISSING, TOKEN_EXPIRED, TOKEN_INVALID, TOKEN_REVOKED),
    Admin: (FORBIDDEN,),
    Body: (VALIDATION_ERROR, UNSUPPORTED_MEDIA_TYPE),
    Query: (VALIDATION_ERROR,),
    Path: (NOT_FOUND,),
}
WATCHED = (CAPTCHA_REQUIRED, CAPTCHA_FAILED, BOT_SUSPECTED)
# Whatever is asked, the body's size, the gateway's own throttle and a fault may come first.
ALWAYS = (PAYLOAD_TOO_LARGE, RATE_LIMITED, INTERNAL_ERROR, SERVICE_UNAVAILABLE)


@dataclass(frozen=True)
class Operation:
    parameters: Mapping[str, Any]  # kinds by name
    returns: Any
    limit: Limit
    refuses: Sequence[Problem]
    answers: Answers
    bots: bool = False

    def taken(self, base: type[TakenT]) -> type[TakenT] | None:
        """The kind it takes that is a `base`: `LoginBody` for Body, of a `LogoutBody | None` too."""
        kinds = (part for kind in self.parameters.values() for part in get_args(kind) or (kind,))
        return next((kind for kind in kinds if issubclass(kind, base)), None)

    def problems(self) -> list[Problem]:
        """Everything it may refuse: its own, and what follows from what it takes."""
        derived = (each for base, problems in FOLLOWS.items() if self.taken(base) for each in problems)
        bots = WATCHED if self.bots else ()
        return list(dict.fromkeys([*derived, *self.refuses, *bots, *ALWAYS]))
