"""Accounts in Postgres, their personal data sealed (AUTH-020)."""

from datetime import datetime
from functools import partial
from uuid import UUID

from psycopg.errors import UniqueViolation

from common.stores.postgres import Database, Row
from functions.auth.adapters.social_identity_repository import add_identity
from functions.auth.adapters.spent_verification_repository import spend
from functions.auth.adapters.vault import Vault
from functions.auth.domain.account import Account, Credentials, NewAccount, Role, Status
from functions.auth.domain.errors import EmailTaken, IdentityTaken

TAKEN = {"users_email_hash_key": EmailTaken, "users_ci_hash_key": IdentityTaken}

_SHOWN = "id, email_sealed, name_sealed, phone_sealed, role, created_at, email_verified_at"


class AccountStore:
    """Values are sealed before a transaction is begun: KMS may have to be asked for a key."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def add(self, new: NewAccount) -> None:
        """The account, its agreements and the end of its identity verification, in one transaction (AUTH-001).

        Raises EmailTaken or IdentityTaken, as the unique constraints decide: of any number of registrations at
        once, one is let through. Raises IDENTITY_NOT_VERIFIED for a verification that has served before, and
        ALREADY_LINKED for a social identity that is another account's.
        """
        account, vault = new.account, self._vault
        seal = partial(vault.seal, account.id)
        user = {
            "id": account.id,
            "email_sealed": seal("email", account.email),
            "email_hash": vault.lookup("email", account.email),
            "password_hash": new.password_hash,
            "name_sealed": seal("name", account.name),
            "phone_sealed": None if account.phone is None else seal("phone", account.phone),
            "ci_sealed": seal("ci", new.ci),
            "ci_hash": vault.lookup("ci", new.ci),
            "role": account.role.value,
            "created_at": account.created_at,
        }
        try:
            with self._database.transaction() as connection:
                connection.execute(
                    """
                    INSERT INTO user_service.users (id, email_sealed, email_hash, password_hash, name_sealed,
                                                    phone_sealed, ci_sealed, ci_hash, role, created_at)
                    VALUES (%(id)s, %(email_sealed)s, %(email_hash)s, %(password_hash)s, %(name_sealed)s,
                            %(phone_sealed)s, %(ci_sealed)s, %(ci_hash)s, %(role)s, %(created_at)s)
                    """,
                    user,
                )
                connection.cursor().executemany(
                    """
                    INSERT INTO user_service.agreements (user_id, code, version, agreed, agreed_at)
                    VALUES (%s, %s, %s, %s, %s)
                    """,
                    [(account.id, each.code, each.version, each.agreed, account.created_at) for each in new.agreements],
                )
                if new.identity_verification_id is not None:
                    # Last: who has an account is told so, whatever became of the verification.
                    spent = vault.lookup("identity-verification", new.identity_verification_id)
                    spend(connection, spent, "register", account.created_at)
                if new.social is not None:
                    add_identity(connection, account.id, new.social, account.created_at)
        except UniqueViolation as violation:
            taken = TAKEN.get(violation.diag.constraint_name or "")
            if taken is None:
                raise
            raise taken() from None

    def credentials(self, email: str) -> Credentials | None:
        """None for an account that was withdrawn, as for one there never was. Opens nothing: it costs no KMS."""
        found = self._database.row(
            """
            SELECT id, role, password_hash, status
              FROM user_service.users WHERE email_hash = %s AND status <> 'WITHDRAWN'
            """,
            (self._vault.lookup("email", email),),
        )
        if found is None:
            return None
        return Credentials(found["id"], Role(found["role"]), found["password_hash"], Status(found["status"]))

    def renew_hash(self, user_id: UUID, old_hash: str, new_hash: str) -> None:
        """The same password under another cost, unless it is another password by now."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE user_service.users SET password_hash = %s WHERE id = %s AND password_hash = %s",
                (new_hash, user_id, old_hash),
            )

    def account(self, user_id: UUID) -> Account | None:
        """None unless ACTIVE: a dormant account's data are elsewhere, a withdrawn one's are nobody's to see."""
        found = self._database.row(
            f"SELECT {_SHOWN} FROM user_service.users WHERE id = %s AND status = 'ACTIVE'", (user_id,)
        )
        return self._account(found) if found else None

    def update(self, user_id: UUID, name: str | None = None, phone: str | None = None) -> Account | None:
        """The account with what is given changed (AUTH-013); None as of `account`."""
        sealed_name = None if name is None else self._vault.seal(user_id, "name", name)
        sealed_phone = None if phone is None else self._vault.seal(user_id, "phone", phone)
        with self._database.transaction() as connection:
            found = connection.execute(
                f"""
                UPDATE user_service.users
                   SET name_sealed = coalesce(%s, name_sealed), phone_sealed = coalesce(%s, phone_sealed)
                 WHERE id = %s AND status = 'ACTIVE' RETURNING {_SHOWN}
                """,
                (sealed_name, sealed_phone, user_id),
            ).fetchone()
        return self._account(found) if found else None

    def confirm_email(self, user_id: UUID, now: datetime) -> None:
        """The account's address was proved (AUTH-022); its first proof is remembered."""
        with self._database.transaction() as connection:
            connection.execute(
                """
                UPDATE user_service.users SET email_verified_at = coalesce(email_verified_at, %s)
                 WHERE id = %s AND status = 'ACTIVE'
                """,
                (now, user_id),
            )

    def _account(self, row: Row) -> Account:
        opened = partial(self._vault.open, row["id"])
        return Account(
            id=row["id"],
            email=opened("email", row["email_sealed"]),
            name=opened("name", row["name_sealed"]),
            phone=None if row["phone_sealed"] is None else opened("phone", row["phone_sealed"]),
            role=Role(row["role"]),
            created_at=row["created_at"],
            email_verified=row["email_verified_at"] is not None,
        )
