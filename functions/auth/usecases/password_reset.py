"""A forgotten password, replaced by whoever proves to be the account's person (AUTH-015)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from common.domain.clock import Clock
from functions.auth.domain.errors import IdentityNotVerified
from functions.auth.usecases.registration import Identities


@dataclass(frozen=True)
class Proof:
    """What the person shows, as keyed hashes."""

    email: bytes = field(repr=False)
    ci: bytes = field(repr=False)
    identity_verification: bytes = field(repr=False)


class Accounts(Protocol):
    def owner(self, proof: Proof) -> UUID | None: ...

    def reset_password(self, user_id: UUID, new_hash: str, proof: Proof, now: datetime) -> bool: ...


class Hasher(Protocol):
    def hash(self, password: str) -> str: ...


class ForgottenPassword:
    """`lookup(kind, text)` is the vault's."""

    def __init__(
        self,
        identities: Identities,
        accounts: Accounts,
        lookup: Callable[[str, str], bytes],
        hasher: Hasher,
        clock: Clock,
    ) -> None:
        self._identities = identities
        self._accounts = accounts
        self._lookup = lookup
        self._hasher = hasher
        self._clock = clock

    def reset(self, email: str, identity_verification_id: str, new_password: str) -> None:
        """Ends every session. Raises IdentityNotVerified alike, after the same questions asked, when there is no
        such account, when it is another person's, and when the verification served before.
        """
        person = self._identities.person(identity_verification_id)
        if person is None or not person.ci:
            raise IdentityNotVerified()
        proof = Proof(
            self._lookup("email", email),
            self._lookup("ci", person.ci),
            self._lookup("identity-verification", identity_verification_id),
        )
        user_id = self._accounts.owner(proof)
        if user_id is None:
            raise IdentityNotVerified()
        if not self._accounts.reset_password(user_id, self._hasher.hash(new_password), proof, self._clock()):
            raise IdentityNotVerified()
