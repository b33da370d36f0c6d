"""The secrets of a new stack on AWS, made once, before its first deployment (docs/runbook.md).

    python -m local.seed.first_secrets ticketing/ outside.json
    python -m local.seed.first_secrets ticketing/ outside.json --passwords    with DatabaseAuth=password

outside.json is what others gave us, by name: portone, captcha, oauth/kakao, oauth/naver, oauth/google, each as
local/seed/secrets.py has it. They are no part of the CloudFormation stack: deleting the stack must not delete the key
that personal data are found by. A secret that exists already stays; run it again after a failure, or to add a missing
one.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from local.seed.secrets import make, ours, passwords, ticket_verification


def add_missing(manager: Any, prefix: str, values: Mapping[str, Any]) -> list[str]:
    """`manager` is boto3's client. The names of those that were added."""
    added = []
    for name, value in values.items():
        try:
            manager.create_secret(Name=prefix + name, SecretString=json.dumps(value))
        except manager.exceptions.ResourceExistsException:
            continue
        added.append(name)
    return added


def first_secrets(manager: Any, prefix: str, outside: Mapping[str, Any], *, with_passwords: bool) -> list[str]:
    added = add_missing(manager, prefix, {**ours(), **outside, **(passwords() if with_passwords else {})})
    # Of the key that is there, whoever made it: die before this, and the next run makes it.
    ticket = json.loads(manager.get_secret_value(SecretId=f"{prefix}ticket")["SecretString"])
    return added + add_missing(manager, prefix, {"ticket/verification": ticket_verification(ticket)})


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes a new stack's secrets; those that exist stay as they are")
    parser.add_argument("prefix", help="the stack's SecretsPrefix, as ticketing/")
    parser.add_argument("outside", type=Path, help="a JSON file of what others gave us")
    parser.add_argument("--passwords", action="store_true", help="of the database, too")
    given = parser.parse_args()
    outside = json.loads(given.outside.read_text(encoding="utf-8"))
    expected = set(make()) - set(ours()) - set(passwords())
    if unknown := set(outside) - expected:
        parser.error(f"no function reads {', '.join(sorted(unknown))}")
    manager = boto3.client("secretsmanager")
    for name in first_secrets(manager, given.prefix, outside, with_passwords=given.passwords):
        print(f"made {given.prefix}{name}")
    for name in sorted(expected - set(outside)):
        print(f"not given: {name}; what reads it answers 503 until it is there")


if __name__ == "__main__":
    main()
