"""Accounts and what is needed to log in to one."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from common.domain.ids import UserId
from functions.auth.domain.social_identity import SocialIdentity

REQUIRED_AGREEMENTS = ("TERMS_OF_SERVICE", "PRIVACY")


class Role(StrEnum):
    """AUTH-017."""

    USER = "USER"
    ADMIN = "ADMIN"


class AccountStatus(StrEnum):
    """DORMANT after a year without a login (AUTH-019); WITHDRAWN for good (AUTH-018)."""

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
    id: UserId
    email: str = field(repr=False)  # as the user typed it
    name: str = field(repr=False)
    phone: str | None = field(repr=False)
    role: Role
    created_at: datetime
    email_verified: bool = False


@dataclass(frozen=True)
class NewAccount:
    account: Account
    ci: str = field(repr=False)  # PortOne's connecting information: identifies the person at every site
    password_hash: str = field(repr=False)
    agreements: tuple[Agreement, ...] = ()
    identity_verification_id: str | None = field(default=None, repr=False)  # None for a seeded account
    social: SocialIdentity | None = None  # can also log in to the account (AUTH-007)


@dataclass(frozen=True)
class Credentials:
    """What a login is checked against. The account is ACTIVE or DORMANT."""

    user_id: UserId
    role: Role
    password_hash: str = field(repr=False)
    status: AccountStatus = AccountStatus.ACTIVE


@dataclass(frozen=True)
class LinkedAccount:
    """The account that a social identity logs in to."""

    user_id: UserId
    role: Role
    status: AccountStatus


@dataclass(frozen=True)
class OwnershipProof:
    """What a person shows to reset the password of an account (AUTH-015), as keyed hashes."""

    email: bytes = field(repr=False)
    ci: bytes = field(repr=False)
    identity_verification: bytes = field(repr=False)
