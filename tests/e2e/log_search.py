"""Whether a secret or a personal datum got into what the functions logged: who said which, and a search for all.

What the tests and the stack tell each other is listened to in httpx, so that a secret of a new test is searched for
without anybody thinking of it.
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

SAID_IN = {  # names of fields, whichever side says them
    "password", "currentPassword", "newPassword", "email", "phone", "phoneNumber", "name", "birthDate", "ci",
    "captchaToken", "accessToken", "refreshToken", "linkToken", "token", "ticket", "qr", "paymentToken",
    "portonePaymentToken", "identityVerificationId", "state", "authorizationUrl",
}  # fmt: skip
ASKED_IN = {"code"}  # of requests only: in an answer it is an error's
HEADERS = {"authorization", "x-queue-token", "x-captcha-token", "x-device-fingerprint", "webhook-signature"}
# What identifies a secret, or is its public half.
PUBLIC = {"kid", "kty", "crv", "x", "y", "alg", "use", "storeId", "channelKey", "clientId", "publishedAt"}
PEOPLE = ("/auth", "/users", "/sandbox/identity", "/sandbox/oauth")  # elsewhere a name is a hall's or a singer's
SHORTEST = 6


def strings(value: object, names: Iterable[str] | None = None, but: Iterable[str] = ()) -> Iterator[str]:
    """The strings anywhere in `value`: those called one of `names`, or all; nothing called one of `but`."""
    if isinstance(value, str) and names is None:
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from strings(each, names, but)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if name not in but:
                yield from strings(each, None if names is not None and name in names else names, but)


@dataclass
class Overheard:
    secrets: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)  # host:port of the stack; what else is called in this process is not

    @contextmanager
    def listening(self) -> Iterator["Overheard"]:
        send = httpx.Client.send

        def heard(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
            response = send(client, request, **options)
            self.hear(request, response)
            return response

        with patch.object(httpx.Client, "send", heard):
            yield self

    def hear(self, request: httpx.Request, response: httpx.Response) -> None:
        if request.url.netloc.decode() not in self.places:
            return
        names = SAID_IN if request.url.path.startswith(PEOPLE) else SAID_IN - {"name"}
        self.secrets.update(strings(_json(request.content), names | ASKED_IN))
        self.secrets.update(strings(_json(response.content), names))
        self.secrets.update(value.removeprefix("Bearer ") for name, value in request.headers.items() if name in HEADERS)
        self.secrets.update(value for name, value in request.url.params.items() if name in SAID_IN)


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # what a test sends on purpose: broken, or nested too deep
        return None


def kept_secrets(state_folder: Path) -> set[str]:
    """Those of the stack itself, as its functions read them from Secrets Manager."""
    kept = json.loads((state_folder / "secrets.json").read_text(encoding="utf-8"))
    return set(strings(kept, but=PUBLIC))


def mailed_codes(aws_url: str) -> set[str]:
    """The six digits of every mail that was sent."""
    kept = httpx.get(f"{aws_url}/moto-api/data.json", timeout=30).raise_for_status().json()
    return {code for mail in kept.get("ses", {}).get("Message", []) for code in re.findall(r"\b\d{6}\b", mail["body"])}


def logged(state_folder: Path) -> list[tuple[str, str]]:
    """Every line there is, as (function, line)."""
    files = sorted((state_folder / "logs").glob("functions.log*"))
    entries = (json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines())
    return [(entry["function"], entry["line"]) for entry in entries]


def found(lines: Iterable[tuple[str, str]], secrets: Iterable[str]) -> dict[str, set[str]]:
    """The secrets that are in the lines, by function; a line as it is, and without JSON's escapes."""
    parts = {part for secret in secrets for part in _parts(secret)}
    if not parts:
        return {}
    # Not inside of a longer word or number: six digits of a time are no code. Longest first: `|` takes the first.
    words = "|".join(map(re.escape, sorted(parts, key=len, reverse=True)))
    pattern = re.compile(rf"(?<![\w.-])(?:{words})(?![\w-])")
    leaks: dict[str, set[str]] = {}
    for function, line in lines:
        for form in {line, _plain(line)}:
            for hit in pattern.findall(form):
                leaks.setdefault(function, set()).add(hit)
    return leaks


def _parts(secret: str) -> Iterator[str]:
    """The secret, and what is as good: a token's signature, the lines of a PEM."""
    pieces = {secret, *secret.splitlines()} | ({secret.rpartition(".")[2]} if secret.startswith("eyJ") else set())
    least = SHORTEST if secret.isascii() else 3  # 김하늘
    yield from (piece for piece in pieces if len(piece) >= least and not piece.startswith("-----"))


def _plain(line: str) -> str:
    try:
        return json.dumps(json.loads(line), ensure_ascii=False).replace("\\n", "\n")
    except ValueError:
        return line
