"""All a new local stack needs, in one go: secrets, the schema, accounts and an event on sale.

    python -m seed postgresql://owner@host/ticketing .local/secrets.json

Again on a stack that has them, nothing happens.
"""

import os
import sys
from pathlib import Path

from common.clock import utc_now
from common.postgres import Database
from migrations.__main__ import LOGINS, migrate, set_passwords
from seed.accounts import seed_accounts
from seed.event import seed_event
from seed.secrets import kept, publish


def main() -> None:
    url, secrets_file = sys.argv[1], Path(sys.argv[2])
    secrets = kept(secrets_file)
    publish(secrets, os.environ["SECRETS_PREFIX"])
    migrate(url)
    set_passwords(url, {login: secrets[f"database/{login}"]["password"] for login in LOGINS})
    database = Database(url)
    seed_accounts(database)
    seed_event(database, utc_now())
    database.close()


if __name__ == "__main__":
    main()
