"""What several use cases need from outside the process. Tests pass fakes."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from functions.auth.domain.session import AccessToken
from functions.auth.domain.social_identity import SocialIdentity
from functions.auth.domain.verified_person import VerifiedPerson

Lookup = Callable[[str, str], bytes]  # (kind, text): `LookupHash`


class Captcha(Protocol):
    def check(self, token: str, action: str) -> None:
        """Raises CaptchaFailed, also for a token of another action, or ServiceUnavailable if it cannot be checked."""


class IdentityVerifications(Protocol):
    def person(self, verification_id: str) -> VerifiedPerson | None:
        """The verified person, if there is one. Raises ServiceUnavailable if PortOne does not answer."""


class NewHasher(Protocol):
    def hash(self, password: str) -> str: ...


class Hasher(NewHasher, Protocol):
    def matches(self, password: str, password_hash: str | None) -> bool:
        """False for no hash, after as long as for one."""


class LoginLockout(Protocol):
    def check(self, owner: bytes, network: bytes, /, *, known_network: bool) -> Any:
        """Returns the attempt, to pass to one of the others. Raises AccountLocked after too many wrong passwords."""

    def failed(self, attempt: Any, /) -> None: ...

    def passed(self, attempt: Any, /) -> None: ...


class Blacklist(Protocol):
    def add(self, tokens: Sequence[AccessToken], now: datetime) -> None: ...


class LinkTokens(Protocol):
    def identity(self, token: str) -> SocialIdentity:
        """Raises OAuthFailed for a token that is not valid."""

    def spend(self, token: str) -> None: ...
