"""People as Kakao, Naver and Google know them (AUTH-007)."""

from dataclasses import dataclass, field
from enum import StrEnum


class Provider(StrEnum):
    """As in the path; `provider.name` is the method in the login history."""

    KAKAO = "kakao"
    NAVER = "naver"
    GOOGLE = "google"


@dataclass(frozen=True)
class Profile:
    """Whom a provider says it saw. Name and address are for filling in a form: they prove nothing here, and no account
    is ever found by them."""

    subject: str = field(repr=False)  # the provider's own id of the person, which never changes
    email: str | None = field(repr=False)  # None where the provider says that it was never proved
    name: str | None = field(repr=False)


@dataclass(frozen=True)
class SocialIdentity:
    """A person at a provider, as an account remembers them."""

    provider: Provider
    subject_hash: bytes  # `vault.lookup(f"oauth:{provider}", subject)`
