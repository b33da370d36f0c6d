"""Everything a caller can be refused for: a code, the status it is answered with and its words, in one shape.

A service declares its own next to its rules and raises them with `SEAT_TAKEN.refusal(seatIds=[…])`; the edge of a
handler is the only place that turns one into an HTTP answer (`docs/api.md`, Errors).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One way to be refused. `ko` is the default language, `en` follows `Accept-Language`."""

    code: str
    status: int
    ko: str
    en: str

    def refusal(self, *, headers: Mapping[str, str] | None = None, **details: Any) -> "Refusal":
        return Refusal(self, details, headers or {})

    def message(self, language: str) -> str:
        return self.en if language == "en" else self.ko


@dataclass
class Refusal(Exception):
    """A rule said no. `details` is shown to the caller as it is: nothing of the inside belongs there."""

    problem: Problem
    details: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.problem.code


VALIDATION_ERROR = Problem("VALIDATION_ERROR", 400, "입력값이 올바르지 않습니다.", "The input is not valid.")
TOKEN_MISSING = Problem("TOKEN_MISSING", 401, "로그인이 필요합니다.", "Sign in first.")
TOKEN_EXPIRED = Problem("TOKEN_EXPIRED", 401, "로그인이 만료되었습니다.", "The sign-in has expired.")
TOKEN_INVALID = Problem("TOKEN_INVALID", 401, "인증 정보가 올바르지 않습니다.", "The token is not valid.")
TOKEN_REVOKED = Problem("TOKEN_REVOKED", 401, "로그아웃된 인증 정보입니다.", "The token has been revoked.")
SERVICE_KEY_INVALID = Problem(
    "SERVICE_KEY_INVALID", 401, "서비스 키가 올바르지 않습니다.", "The service key is not valid."
)
CAPTCHA_FAILED = Problem(
    "CAPTCHA_FAILED",
    403,
    "자동 입력 방지 확인에 실패했습니다. 다시 시도해 주세요.",
    "The captcha was not passed. Try again.",
)
CAPTCHA_REQUIRED = Problem(
    "CAPTCHA_REQUIRED",
    403,
    "자동 입력 방지 확인이 필요합니다. X-Captcha-Token 헤더에 담아 다시 보내 주세요.",
    "Pass a captcha and send this again with its token in X-Captcha-Token.",
)
BOT_SUSPECTED = Problem(
    "BOT_SUSPECTED",
    403,
    "비정상적인 접근으로 판단되어 요청을 처리할 수 없습니다.",
    "This looks automated and is not served.",
)
FORBIDDEN = Problem("FORBIDDEN", 403, "권한이 없습니다.", "Not allowed.")
NOT_FOUND = Problem("NOT_FOUND", 404, "찾을 수 없습니다.", "Not found.")
PAYLOAD_TOO_LARGE = Problem("PAYLOAD_TOO_LARGE", 413, "요청이 너무 큽니다.", "The request is too large.")
UNSUPPORTED_MEDIA_TYPE = Problem(
    "UNSUPPORTED_MEDIA_TYPE", 415, "application/json 형식으로 보내 주세요.", "Send application/json."
)
INTERNAL_ERROR = Problem("INTERNAL_ERROR", 500, "일시적인 오류가 발생했습니다.", "Something went wrong on our side.")
SERVICE_UNAVAILABLE = Problem(
    "SERVICE_UNAVAILABLE",
    503,
    "일시적으로 이용할 수 없습니다. 잠시 후 다시 시도해 주세요.",
    "Temporarily unavailable. Try again shortly.",
)

_STORE_AWAY: list[type[Exception]] = []


def means_store_away(*kinds: type[Exception]) -> None:
    """Said by the modules that own a connection, so that others need not import drivers they do not use."""
    _STORE_AWAY.extend(kinds)


def store_away(*besides: type[Exception]) -> tuple[type[Exception], ...]:
    """The exceptions that mean "a store is away": not a bug, and worth another try."""
    return (*_STORE_AWAY, *besides)
