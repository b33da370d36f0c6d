"""Finds secrets and personal data in the functions' logs.

What the tests and the stack send each other is recorded in httpx, so that the search covers the secrets of new tests
too.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

SECRET_FIELDS = {  # of requests and responses
    "password", "currentPassword", "newPassword", "email", "phone", "phoneNumber", "name", "birthDate", "ci",
    "captchaToken", "accessToken", "refreshToken", "linkToken", "token", "ticket", "qr", "paymentToken",
    "portonePaymentToken", "identityVerificationId", "state", "authorizationUrl",
}  # fmt: skip
REQUEST_FIELDS = {"code"}  # secret in requests only: in a response it is an error's
HEADERS = {"authorization", "x-queue-token", "x-captcha-token", "x-device-fingerprint", "webhook-signature"}
# These identify a secret, or are its public part.
PUBLIC = {"kid", "kty", "crv", "x", "y", "alg", "use", "storeId", "channelKey", "clientId", "publishedAt"}
# Elsewhere a name is a hall's or an artist's.
PERSONAL_PATHS = ("/auth", "/users", "/sandbox/identity", "/sandbox/oauth")
MIN_LENGTH = 6


def strings(value: object, names: Iterable[str] | None = None, excluded: Iterable[str] = ()) -> Iterator[str]:
    """The strings anywhere in `value`, in fields with one of `names` or in all fields, but not in `excluded` fields."""
    if isinstance(value, str) and names is None:
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from strings(each, names, excluded)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if name not in excluded:
                yield from strings(each, None if names is not None and name in names else names, excluded)


@dataclass
class SecretRecorder:
    secrets: set[str] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)  # host:port of the stack; other calls are not recorded

    @contextmanager
    def recording(self) -> Iterator["SecretRecorder"]:
        send = httpx.Client.send

        def recorded_send(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
            response = send(client, request, **options)
            self.record(request, response)
            return response

        with patch.object(httpx.Client, "send", recorded_send):
            yield self

    def record(self, request: httpx.Request, response: httpx.Response) -> None:
        if request.url.netloc.decode() not in self.hosts:
            return
        names = SECRET_FIELDS if request.url.path.startswith(PERSONAL_PATHS) else SECRET_FIELDS - {"name"}
        self.secrets.update(strings(_json(request.content), names | REQUEST_FIELDS))
        self.secrets.update(strings(_json(response.content), names))
        self.secrets.update(value.removeprefix("Bearer ") for name, value in request.headers.items() if name in HEADERS)
        self.secrets.update(value for name, value in request.url.params.items() if name in SECRET_FIELDS)


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # a test sends invalid or too deeply nested JSON on purpose
        return None


def stack_secrets(state_folder: Path) -> set[str]:
    """The stack's own secrets, as its functions read them from Secrets Manager."""
    kept = json.loads((state_folder / "secrets.json").read_text(encoding="utf-8"))
    return set(strings(kept, excluded=PUBLIC))


def mailed_codes(aws_url: str) -> set[str]:
    """The six digits of every mail that was sent."""
    kept = httpx.get(f"{aws_url}/moto-api/data.json", timeout=30).raise_for_status().json()
    return {code for mail in kept.get("ses", {}).get("Message", []) for code in re.findall(r"\b\d{6}\b", mail["body"])}


def log_lines(state_folder: Path) -> list[tuple[str, str]]:
    """Every line of the log, as (function, line)."""
    files = sorted((state_folder / "logs").glob("functions.log*"))
    entries = (json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines())
    return [(entry["function"], entry["line"]) for entry in entries]


def find_leaks(lines: Iterable[tuple[str, str]], secrets: Iterable[str]) -> dict[str, set[str]]:
    """The secrets that are in the lines, by function. Each line is searched with and without JSON's escapes."""
    parts = {part for secret in secrets for part in _parts(secret)}
    if not parts:
        return {}
    # Not inside a longer word or number: six digits of a time are not a code. Longest first: `|` takes the first.
    words = "|".join(map(re.escape, sorted(parts, key=len, reverse=True)))
    pattern = re.compile(rf"(?<![\w.-])(?:{words})(?![\w-])")
    leaks: dict[str, set[str]] = {}
    for function, line in lines:
        for form in {line, _plain(line)}:
            for hit in pattern.findall(form):
                leaks.setdefault(function, set()).add(hit)
    return leaks


def _parts(secret: str) -> Iterator[str]:
    """The secret and its secret parts: a token's signature, the lines of a PEM."""
    pieces = {secret, *secret.splitlines()} | ({secret.rpartition(".")[2]} if secret.startswith("eyJ") else set())
    minimum = MIN_LENGTH if secret.isascii() else 3  # 김하늘
    yield from (piece for piece in pieces if len(piece) >= minimum and not piece.startswith("-----"))


def _plain(line: str) -> str:
    try:
        return json.dumps(json.loads(line), ensure_ascii=False).replace("\\n", "\n")
    except ValueError:
        return line
