"""An account, and the one who has it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from functions.auth.domain.social_identity import SocialIdentity


class Role(StrEnum):
    """AUTH-017."""

    USER = "USER"
    ADMIN = "ADMIN"


class Status(StrEnum):
    """An account is DORMANT after a year without a sign-in (AUTH-019), WITHDRAWN for good (AUTH-018)."""

    ACTIVE = "ACTIVE"
    DORMANT = "DORMANT"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True)
class Agreement:
    """A consent, given or withheld, to one version of a text (AUTH-002)."""

    code: str
    version: str
    agreed: bool


@dataclass(frozen=True)
class Account:
    id: UUID
    email: str = field(repr=False)  # as it was typed
    name: str = field(repr=False)
    phone: str | None = field(repr=False)
    role: Role
    created_at: datetime
    email_verified: bool = False


@dataclass(frozen=True)
class NewAccount:
    account: Account
    ci: str = field(repr=False)  # who the person is, to every site alike (PortOne's connecting information)
    password_hash: str = field(repr=False)
    agreements: tuple[Agreement, ...] = ()
    identity_verification_id: str | None = field(
        default=None, repr=False
    )  # None: nobody's, of an account that is seeded
    social: SocialIdentity | None = None  # who is to sign in to it besides (AUTH-007)


@dataclass(frozen=True)
class Credentials:
    """What a sign-in is checked against; of an account that is ACTIVE or DORMANT."""

    user_id: UUID
    role: Role
    password_hash: str = field(repr=False)
    status: Status = Status.ACTIVE


@dataclass(frozen=True)
class LinkedAccount:
    """The account a social identity signs in to."""

    user_id: UUID
    role: Role
    status: Status
