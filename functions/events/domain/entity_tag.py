"""Which revision of a thing an answer shows (ETag) and an edit means (If-Match): optimistic concurrency on edits.

A tag is `"<version>"` or `"<version>-<digest>"`: the version counts the edits and is what If-Match is held against;
the digest tells apart answers that differ for other reasons, such as seats sold meanwhile, for If-None-Match alone.
"""

import re
from dataclasses import dataclass
from hashlib import sha1
from typing import Self

from common.domain.model import Model
from common.http.endpoint import Answer
from common.http.request import Request
from functions.events.domain.errors import PreconditionFailed

_VERSION = re.compile(r'"([0-9]{1,18})(?:-[^"]*)?"')  # weak or strong: what counts is the version


def etag(version: int, text: str | None = None) -> str:
    """The tag of `version`, and of the very `text` it is shown as."""
    return f'"{version}"' if text is None else f'"{version}-{digest(text)}"'


def digest(text: str) -> str:
    return sha1(text.encode(), usedforsecurity=False).hexdigest()[:16]


def revised(body: Model, version: int, status: int = 200) -> Answer:
    """What was written, with the tag its next edit may name."""
    return Answer(body, status, {"ETag": etag(version)})


@dataclass(frozen=True)
class Expected:
    """The versions an edit was made for; None when the caller did not say (RFC 9110, 13.1.1)."""

    versions: frozenset[int] | None = None

    @classmethod
    def by(cls, request: Request) -> Self:
        named = request.headers.get("if-match")
        if named is None or named.strip() == "*":
            return cls()
        return cls(frozenset(map(int, _VERSION.findall(named))))

    def check(self, version: int) -> None:
        """Raises PreconditionFailed for an edit of another version than this."""
        if self.versions is not None and version not in self.versions:
            raise PreconditionFailed()


ANY = Expected()
