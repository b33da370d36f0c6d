"""Two initial accounts, an administrator and a buyer. Their passwords are public: for local stacks only."""

from contextlib import suppress

from common.domain.clock import new_id, utc_now
from common.domain.ids import UserId
from common.stores.postgres import Database
from functions.auth.adapters.account_repository import AccountRepository
from functions.auth.adapters.password_hasher import PasswordHasher
from functions.auth.adapters.vault import Vault
from functions.auth.domain.account import REQUIRED_AGREEMENTS, Account, Agreement, NewAccount, Role
from functions.auth.domain.errors import EmailTaken

ACCOUNTS = (
    ("admin@example.com", "local-admin-1234", "Admin", Role.ADMIN),
    ("demo@example.com", "local-demo-1234", "Demo", Role.USER),
)


def seed_accounts(database: Database, vault: Vault, hasher: PasswordHasher | None = None) -> None:
    """Adds the missing accounts. `database` can write `user_service`; tests pass a faster `hasher`."""
    accounts, hasher = AccountRepository(database, vault), hasher or PasswordHasher()
    agreements = tuple(Agreement(code, version="seed", agreed=True) for code in REQUIRED_AGREEMENTS)
    for email, password, name, role in ACCOUNTS:
        if accounts.credentials(email) is not None:
            continue  # saves a hash at every start
        account = Account(UserId(new_id()), email, name, phone=None, role=role, created_at=utc_now())
        with suppress(EmailTaken):  # another process added it first
            accounts.add(NewAccount(account, f"seed:{email}", hasher.hash(password), agreements))
