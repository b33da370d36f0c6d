"""Correcting a mistyped e-mail address after an identity verification (AUTH-023)."""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from common.domain.clock import Clock
from common.domain.ids import UserId
from functions.auth.domain.account import OwnershipProof
from functions.auth.domain.errors import IdentityNotVerified
from functions.auth.domain.sealed_value import SealedField
from functions.auth.usecases.ports import IdentityVerifications, Lookup


class Owners(Protocol):
    def owner_of_unverified(self, ci: bytes) -> UserId | None: ...


class Vault(Protocol):
    def seal(self, owner: UUID, field: SealedField, text: str) -> bytes: ...


class Changes(Protocol):
    def correct_email(self, user_id: UserId, email_sealed: bytes, proof: OwnershipProof, now: datetime) -> bool: ...


class EmailCorrection:
    def __init__(
        self,
        identities: IdentityVerifications,
        owners: Owners,
        changes: Changes,
        vault: Vault,
        lookup: Lookup,
        clock: Clock,
    ) -> None:
        self._identities = identities
        self._owners = owners
        self._changes = changes
        self._vault = vault
        self._lookup = lookup
        self._clock = clock

    def correct(self, email: str, identity_verification_id: str) -> None:
        """Replace the address of the person's account, and end its sessions.

        Only an address that was never verified: a person who has the owner's telephone must not take over an
        account whose owner can be reached. The old address gets no mail, since it may be a stranger's.

        Raises IdentityNotVerified, whatever the reason: no such account, a verified address, a spent verification.
        Raises EmailTaken.
        """
        person = self._identities.person(identity_verification_id)
        if person is None or not person.ci:
            raise IdentityNotVerified()
        proof = OwnershipProof(
            self._lookup("email", email),
            self._lookup("ci", person.ci),
            self._lookup("identity-verification", identity_verification_id),
        )
        user_id = self._owners.owner_of_unverified(proof.ci)
        if user_id is None:
            raise IdentityNotVerified()
        # Sealed before the transaction begins, since sealing may call KMS.
        sealed = self._vault.seal(user_id, "email", email)
        if not self._changes.correct_email(user_id, sealed, proof, self._clock()):
            raise IdentityNotVerified()
