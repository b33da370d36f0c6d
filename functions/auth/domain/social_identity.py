"""People as Kakao, Naver and Google know them (AUTH-007)."""

from dataclasses import dataclass, field
from enum import StrEnum


class Provider(StrEnum):
    """As in the path; `provider.name` is the method in the login history."""

    KAKAO = "kakao"
    NAVER = "naver"
    GOOGLE = "google"


@dataclass(frozen=True)
class SocialProfile:
    """The person that a provider reports. The name and the address only fill in a form: they prove nothing here, and no
    account is ever looked up by them."""

    subject: str = field(repr=False)  # the provider's own id of the person, which never changes
    email: str | None = field(repr=False)  # None if the provider says that the address is not verified
    name: str | None = field(repr=False)


@dataclass(frozen=True)
class SocialIdentity:
    """A person at a provider, as an account stores them."""

    provider: Provider
    subject_hash: bytes  # `vault.lookup(f"oauth:{provider}", subject)`


@dataclass(frozen=True)
class LinkOffer:
    """A social identity without an account. The address and the name are the provider's, to fill in a form."""

    link_token: str = field(repr=False)
    email: str | None = field(repr=False)
    name: str | None = field(repr=False)


@dataclass(frozen=True)
class OAuthAttempt:
    """A social login between its two requests: the browser is at the provider."""

    provider: Provider
    redirect_uri: str
    verifier: str = field(repr=False)  # of PKCE
