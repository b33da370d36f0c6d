"""Registration: who may have an account (AUTH-001 to AUTH-005)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from common.domain.clock import Clock, NewId
from functions.auth.domain.account import Account, Agreement, NewAccount, Role
from functions.auth.domain.errors import AgreementRequired, IdentityNotVerified
from functions.auth.domain.social_identity import SocialIdentity

REQUIRED = ("TERMS_OF_SERVICE", "PRIVACY")


@dataclass(frozen=True)
class Person:
    """Whom PortOne verified. Some carriers give no ci."""

    name: str
    phone: str | None
    ci: str | None = field(repr=False)


@dataclass(frozen=True)
class Application:
    """What someone asks for. Without a name or a phone number the verified ones are taken."""

    email: str
    password: str = field(repr=False)
    name: str | None
    phone: str | None
    agreements: Sequence[Agreement]
    captcha_token: str = field(repr=False)
    identity_verification_id: str
    link_token: str | None = field(default=None, repr=False)  # of a social sign-in (AUTH-007)


class Captcha(Protocol):
    def check(self, token: str) -> None:
        """Raises CAPTCHA_FAILED, or SERVICE_UNAVAILABLE when nobody can tell."""


class Identities(Protocol):
    def person(self, verification_id: str) -> Person | None:
        """Who was verified, if anybody was. Raises SERVICE_UNAVAILABLE when PortOne gives no answer."""


class Accounts(Protocol):
    def add(self, new: NewAccount) -> None:
        """Raises EMAIL_TAKEN, IDENTITY_TAKEN, IdentityNotVerified when the verification has served before, or
        ALREADY_LINKED."""


class Hasher(Protocol):
    def hash(self, password: str) -> str: ...


class LinkTokens(Protocol):
    def identity(self, token: str) -> SocialIdentity:
        """Raises OAUTH_FAILED."""

    def spend(self, token: str) -> None: ...


class Registration:
    def __init__(
        self,
        captcha: Captcha,
        identities: Identities,
        link_tokens: LinkTokens,
        accounts: Accounts,
        hasher: Hasher,
        clock: Clock,
        ids: NewId,
    ) -> None:
        self._captcha = captcha
        self._identities = identities
        self._link_tokens = link_tokens
        self._accounts = accounts
        self._hasher = hasher
        self._clock = clock
        self._ids = ids

    def register(self, application: Application) -> Account:
        """Agreements, captcha, identity, details: in the order of AUTH-001, so that each step is worth its cost.

        Nothing is written before all of them passed, and then everything at once.
        """
        agreed = {agreement.code for agreement in application.agreements if agreement.agreed}
        missing = [code for code in REQUIRED if code not in agreed]
        if missing:
            raise AgreementRequired(codes=missing)
        self._captcha.check(application.captcha_token)
        person = self._identities.person(application.identity_verification_id)
        if person is None or not person.ci:
            raise IdentityNotVerified()
        link_token = application.link_token
        social = None if link_token is None else self._link_tokens.identity(link_token)
        account = Account(
            id=self._ids(),
            email=application.email,
            name=application.name or person.name,
            phone=application.phone or person.phone,
            role=Role.USER,
            created_at=self._clock(),
        )
        password_hash = self._hasher.hash(application.password)
        self._accounts.add(
            NewAccount(
                account,
                person.ci,
                password_hash,
                tuple(application.agreements),
                application.identity_verification_id,
                social,
            )
        )
        if link_token is not None:
            self._link_tokens.spend(link_token)
        return account
