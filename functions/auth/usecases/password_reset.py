"""Replacing a forgotten password after an identity verification (AUTH-015)."""

from datetime import datetime
from typing import Protocol

from common.domain.clock import Clock
from common.domain.ids import UserId
from functions.auth.domain.account import OwnershipProof
from functions.auth.domain.errors import IdentityNotVerified
from functions.auth.usecases.ports import IdentityVerifications, Lookup, NewHasher


class Owners(Protocol):
    def owner(self, proof: OwnershipProof) -> UserId | None: ...


class Changes(Protocol):
    def reset_password(self, user_id: UserId, new_hash: str, proof: OwnershipProof, now: datetime) -> bool: ...


class PasswordReset:
    def __init__(
        self,
        identities: IdentityVerifications,
        owners: Owners,
        changes: Changes,
        lookup: Lookup,
        hasher: NewHasher,
        clock: Clock,
    ) -> None:
        self._identities = identities
        self._owners = owners
        self._changes = changes
        self._lookup = lookup
        self._hasher = hasher
        self._clock = clock

    def reset(self, email: str, identity_verification_id: str, new_password: str) -> None:
        """Ends every session. Raises IdentityNotVerified, after the same queries, if the account does not exist, if it
        is another person's, or if the verification is spent.
        """
        person = self._identities.person(identity_verification_id)
        if person is None or not person.ci:
            raise IdentityNotVerified()
        proof = OwnershipProof(
            self._lookup("email", email),
            self._lookup("ci", person.ci),
            self._lookup("identity-verification", identity_verification_id),
        )
        user_id = self._owners.owner(proof)
        if user_id is None:
            raise IdentityNotVerified()
        if not self._changes.reset_password(user_id, self._hasher.hash(new_password), proof, self._clock()):
            raise IdentityNotVerified()
