"""Creates the secrets of a new stack on AWS, once, before its first deployment (docs/runbook.md).

    python -m local.seed.first_secrets ticketing/ outside.json
    python -m local.seed.first_secrets ticketing/ outside.json --passwords    with DatabaseAuth=password

outside.json has the secrets issued by others: portone, captcha, oauth/kakao, oauth/naver, oauth/google, in the format
of local/seed/secrets.py. Secrets are not part of the CloudFormation stack: deleting the stack must not delete the key
by which personal data is found. Existing secrets stay unchanged; run it again after a failure, or to add a missing
secret.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from local.seed.secrets import generated, make, passwords, ticket_verification


def add_missing(manager: Any, prefix: str, values: Mapping[str, Any]) -> list[str]:
    """Returns the names of the secrets that were added. `manager` is boto3's client."""
    added = []
    for name, value in values.items():
        try:
            manager.create_secret(Name=prefix + name, SecretString=json.dumps(value))
        except manager.exceptions.ResourceExistsException:
            continue
        added.append(name)
    return added


def first_secrets(manager: Any, prefix: str, outside: Mapping[str, Any], *, with_passwords: bool) -> list[str]:
    added = add_missing(manager, prefix, {**generated(), **outside, **(passwords() if with_passwords else {})})
    # From the existing ticket key: if an earlier run crashed before this, the next one creates it.
    ticket = json.loads(manager.get_secret_value(SecretId=f"{prefix}ticket")["SecretString"])
    return added + add_missing(manager, prefix, {"ticket/verification": ticket_verification(ticket)})


def main() -> None:
    parser = argparse.ArgumentParser(description="Creates a new stack's secrets; existing ones stay unchanged")
    parser.add_argument("prefix", help="the stack's SecretsPrefix, such as ticketing/")
    parser.add_argument("outside", type=Path, help="a JSON file with the secrets issued by others")
    parser.add_argument("--passwords", action="store_true", help="also create the database passwords")
    given = parser.parse_args()
    outside = json.loads(given.outside.read_text(encoding="utf-8"))
    expected = set(make()) - set(generated()) - set(passwords())
    if unknown := set(outside) - expected:
        parser.error(f"no function reads {', '.join(sorted(unknown))}")
    manager = boto3.client("secretsmanager")
    for name in first_secrets(manager, given.prefix, outside, with_passwords=given.passwords):
        print(f"created {given.prefix}{name}")
    for name in sorted(expected - set(outside)):
        print(f"not given: {name}; functions that read it return 503 until it exists")


if __name__ == "__main__":
    main()
