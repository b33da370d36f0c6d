"""An account, and the one who has it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """AUTH-017."""

    USER = "USER"
    ADMIN = "ADMIN"


@dataclass(frozen=True)
class Agreement:
    """A consent, given or withheld, to one version of a text (AUTH-002)."""

    code: str
    version: str
    agreed: bool


@dataclass(frozen=True)
class Account:
    id: UUID
    email: str
    name: str
    phone: str | None
    role: Role
    created_at: datetime


@dataclass(frozen=True)
class NewAccount:
    account: Account
    ci: str = field(repr=False)  # who the person is, to every site alike (PortOne's connecting information)
    password_hash: str = field(repr=False)
    agreements: tuple[Agreement, ...] = ()


@dataclass(frozen=True)
class Credentials:
    """What a sign-in is checked against."""

    user_id: UUID
    role: Role
    password_hash: str = field(repr=False)


def email_key(email: str) -> str:
    """The address as it is compared: one account for `A@example.com` and `a@example.com` (AUTH-005)."""
    return email.casefold()
