"""Creates everything a new local stack needs: secrets, the schema, accounts and an event on sale.

    python -m local.seed postgresql://owner@host/ticketing .local/secrets.json

On a stack that has them, it changes nothing.
"""

import os
import sys
from pathlib import Path

from common.domain.clock import utc_now
from common.stores.postgres import Database
from local.seed.accounts import seed_accounts
from local.seed.event import seed_event
from local.seed.mail import verify_sender
from local.seed.personal_data import make_kms_key, open_vault
from local.seed.secrets import load_or_make, publish
from migrations.__main__ import LOGINS, migrate, set_passwords


def main() -> None:
    url, secrets_file = sys.argv[1], Path(sys.argv[2])
    secrets = load_or_make(secrets_file)
    publish(secrets, os.environ["SECRETS_PREFIX"])
    migrate(url)
    set_passwords(url, {login: secrets[f"database/{login}"]["password"] for login in LOGINS})
    database = Database(url)
    kms_key = os.environ["PERSONAL_DATA_KMS_KEY"]
    make_kms_key(kms_key)
    verify_sender(os.environ["MAIL_SENDER"])
    seed_accounts(database, open_vault(database, kms_key, secrets))
    seed_event(database, utc_now())
    database.close()


if __name__ == "__main__":
    main()
