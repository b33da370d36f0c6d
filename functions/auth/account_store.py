"""Accounts in Postgres."""

from uuid import UUID

from psycopg.errors import UniqueViolation

from common.postgres import Database
from functions.auth.account import Account, Credentials, NewAccount, Role, email_key
from functions.auth.problems import EMAIL_TAKEN, IDENTITY_TAKEN

TAKEN = {"users_email_key_key": EMAIL_TAKEN, "users_ci_key": IDENTITY_TAKEN}


class AccountStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, new: NewAccount) -> None:
        """The account and its agreements, in one transaction (AUTH-001).

        Refuses EMAIL_TAKEN or IDENTITY_TAKEN, as the unique constraints decide: of any number of registrations at
        once, one is let through.
        """
        account = new.account
        try:
            with self._database.transaction() as connection:
                connection.execute(
                    """
                    INSERT INTO user_service.users
                           (id, email, email_key, password_hash, name, phone, ci, role, created_at)
                    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
                    """,
                    (
                        account.id,
                        account.email,
                        email_key(account.email),
                        new.password_hash,
                        account.name,
                        account.phone,
                        new.ci,
                        account.role.value,
                        account.created_at,
                    ),
                )
                connection.cursor().executemany(
                    """
                    INSERT INTO user_service.agreements (user_id, code, version, agreed, agreed_at)
                    VALUES (%s, %s, %s, %s, %s)
                    """,
                    [(account.id, each.code, each.version, each.agreed, account.created_at) for each in new.agreements],
                )
        except UniqueViolation as violation:
            taken = TAKEN.get(violation.diag.constraint_name or "")
            if taken is None:
                raise
            raise taken.refusal() from None  # its text quotes the address or the ci

    def credentials(self, email: str) -> Credentials | None:
        found = self._database.row(
            "SELECT id, role, password_hash FROM user_service.users WHERE email_key = %s", (email_key(email),)
        )
        return Credentials(found["id"], Role(found["role"]), found["password_hash"]) if found else None

    def account(self, user_id: UUID) -> Account | None:
        found = self._database.row(
            "SELECT id, email, name, phone, role, created_at FROM user_service.users WHERE id = %s", (user_id,)
        )
        return Account(**{**found, "role": Role(found["role"])}) if found else None
