"""Accounts in Postgres; their personal data are sealed (AUTH-020)."""

from functools import partial

from psycopg.errors import UniqueViolation

from common.domain.ids import UserId
from common.stores.postgres import Database, Row
from functions.auth.adapters.social_identity_repository import add_identity
from functions.auth.adapters.spent_verification_repository import spend
from functions.auth.adapters.vault import Vault
from functions.auth.domain.account import Account, AccountStatus, Credentials, NewAccount, Role
from functions.auth.domain.errors import EmailTaken, IdentityTaken

CONFLICTS = {"users_email_hash_key": EmailTaken, "users_ci_hash_key": IdentityTaken}

_ACCOUNT_COLUMNS = "id, email_sealed, name_sealed, phone_sealed, role, created_at, email_verified_at"


class AccountRepository:
    """Values are sealed before a transaction begins, since sealing may call KMS."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def add(self, new: NewAccount) -> None:
        """Add the account and its agreements and spend its identity verification, in one transaction (AUTH-001).

        Raises EmailTaken or IdentityTaken, as the unique constraints decide: of any number of registrations at once,
        one succeeds. Raises IdentityNotVerified for a spent verification, AlreadyLinked for a social identity of
        another account.
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
                    # After the account: EmailTaken and IdentityTaken are reported even if the verification is spent.
                    verification = vault.lookup("identity-verification", new.identity_verification_id)
                    spend(connection, verification, "register", account.created_at)
                if new.social is not None:
                    add_identity(connection, account.id, new.social, account.created_at)
        except UniqueViolation as violation:
            conflict = CONFLICTS.get(violation.diag.constraint_name or "")
            if conflict is None:
                raise
            raise conflict() from None

    def credentials(self, email: str) -> Credentials | None:
        """None if no account has this address or it was withdrawn. Needs no KMS."""
        found = self._database.row(
            """
            SELECT id, role, password_hash, status
              FROM user_service.users WHERE email_hash = %s AND status <> 'WITHDRAWN'
            """,
            (self._vault.lookup("email", email),),
        )
        if found is None:
            return None
        status = AccountStatus(found["status"])
        return Credentials(UserId(found["id"]), Role(found["role"]), found["password_hash"], status)

    def renew_hash(self, user_id: UserId, old_hash: str, new_hash: str) -> None:
        """Replace the hash by one of the same password at another cost, unless the password has changed."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE user_service.users SET password_hash = %s WHERE id = %s AND password_hash = %s",
                (new_hash, user_id, old_hash),
            )

    def account(self, user_id: UserId) -> Account | None:
        """None unless ACTIVE: a dormant account's data are in another table, a withdrawn one's are not shown."""
        found = self._database.row(
            f"SELECT {_ACCOUNT_COLUMNS} FROM user_service.users WHERE id = %s AND status = 'ACTIVE'", (user_id,)
        )
        return self._account(found) if found else None

    def update(self, user_id: UserId, name: str | None = None, phone: str | None = None) -> Account | None:
        """Change what is given and return the account (AUTH-013); None unless ACTIVE."""
        sealed_name = None if name is None else self._vault.seal(user_id, "name", name)
        sealed_phone = None if phone is None else self._vault.seal(user_id, "phone", phone)
        with self._database.transaction() as connection:
            found = connection.execute(
                f"""
                UPDATE user_service.users
                   SET name_sealed = coalesce(%s, name_sealed), phone_sealed = coalesce(%s, phone_sealed)
                 WHERE id = %s AND status = 'ACTIVE' RETURNING {_ACCOUNT_COLUMNS}
                """,
                (sealed_name, sealed_phone, user_id),
            ).fetchone()
        return self._account(found) if found else None

    def _account(self, row: Row) -> Account:
        open_sealed = partial(self._vault.open, row["id"])
        return Account(
            id=UserId(row["id"]),
            email=open_sealed("email", row["email_sealed"]),
            name=open_sealed("name", row["name_sealed"]),
            phone=None if row["phone_sealed"] is None else open_sealed("phone", row["phone_sealed"]),
            role=Role(row["role"]),
            created_at=row["created_at"],
            email_verified=row["email_verified_at"] is not None,
        )
