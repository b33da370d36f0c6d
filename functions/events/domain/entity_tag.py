"""Entity tags (RFC 9110, 8.8.3) and the versions that an edit expects (If-Match): optimistic concurrency on edits.

A tag is `"<version>"` or `"<version>-<digest>"`. The version counts the edits, and If-Match is compared with it. The
digest tells apart responses that differ for other reasons, such as seats sold meanwhile; only If-None-Match needs it.
"""

import re
from dataclasses import dataclass
from hashlib import sha1
from typing import Self

from functions.events.domain.errors import PreconditionFailed

_VERSION = re.compile(r'"([0-9]{1,18})(?:-[^"]*)?"')  # weak or strong: only the version is compared


def etag(version: int, text: str | None = None) -> str:
    """The tag of `version`; with `text`, of exactly this representation of it."""
    return f'"{version}"' if text is None else f'"{version}-{digest(text)}"'


def digest(text: str) -> str:
    return sha1(text.encode(), usedforsecurity=False).hexdigest()[:16]


@dataclass(frozen=True)
class ExpectedVersions:
    """The versions that an edit was made for; None if the caller named none (RFC 9110, 13.1.1)."""

    versions: frozenset[int] | None = None

    @classmethod
    def from_if_match(cls, header: str | None) -> Self:
        if header is None or header.strip() == "*":
            return cls()
        return cls(frozenset(map(int, _VERSION.findall(header))))

    def check(self, version: int) -> None:
        """Raises PreconditionFailed if the current `version` is not an expected one."""
        if self.versions is not None and version not in self.versions:
            raise PreconditionFailed()


ANY_VERSION = ExpectedVersions()
