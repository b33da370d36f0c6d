"""Registration: who can have an account (AUTH-001 to AUTH-005)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from common.domain.clock import Clock, NewId
from common.domain.ids import UserId
from functions.auth.domain.account import REQUIRED_AGREEMENTS, Account, Agreement, NewAccount, Role
from functions.auth.domain.errors import AgreementRequired, IdentityNotVerified, UnderAge
from functions.auth.domain.verified_person import MINIMUM_AGE
from functions.auth.usecases.ports import Captcha, IdentityVerifications, LinkTokens, NewHasher


@dataclass(frozen=True)
class RegistrationRequest:
    """Without a name or a phone number, the verified person's are used."""

    email: str
    password: str = field(repr=False)
    name: str | None
    phone: str | None
    agreements: Sequence[Agreement]
    captcha_token: str = field(repr=False)
    identity_verification_id: str
    link_token: str | None = field(default=None, repr=False)  # of a social login (AUTH-007)


class Accounts(Protocol):
    def add(self, new: NewAccount) -> None:
        """Raises EmailTaken, IdentityTaken, AlreadyLinked, or IdentityNotVerified for a spent verification."""


class Registration:
    def __init__(
        self,
        captcha: Captcha,
        identities: IdentityVerifications,
        link_tokens: LinkTokens,
        accounts: Accounts,
        hasher: NewHasher,
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

    def register(self, request: RegistrationRequest) -> Account:
        """Check agreements, captcha, identity and details in the order of AUTH-001: cheap checks come first.

        Nothing is written before all checks pass; then everything is written at once.
        """
        agreed = {agreement.code for agreement in request.agreements if agreement.agreed}
        missing = [code for code in REQUIRED_AGREEMENTS if code not in agreed]
        if missing:
            raise AgreementRequired(codes=missing)
        self._captcha.check(request.captcha_token, "register")
        person = self._identities.person(request.identity_verification_id)
        age = person.age_at(self._clock()) if person is not None else None
        if person is None or not person.ci or age is None:
            raise IdentityNotVerified()
        if age < MINIMUM_AGE:
            raise UnderAge(minimumAge=MINIMUM_AGE)
        link_token = request.link_token
        social = None if link_token is None else self._link_tokens.identity(link_token)
        account = Account(
            id=UserId(self._ids()),
            email=request.email,
            name=request.name or person.name,
            phone=request.phone or person.phone,
            role=Role.USER,
            created_at=self._clock(),
        )
        password_hash = self._hasher.hash(request.password)
        self._accounts.add(
            NewAccount(
                account,
                person.ci,
                password_hash,
                tuple(request.agreements),
                request.identity_verification_id,
                social,
            )
        )
        if link_token is not None:
            self._link_tokens.spend(link_token)
        return account
