"""Migrates during a deployment, before any new code of the application runs (infra/schema.yaml).

CloudFormation calls it when migrations/ has changed, and waits: if it fails, the deployment stops there. It is also
called on a rollback, and then has nothing to do, as migrations only go forward: the code of the earlier deployment must
work with the new schema.

After a crash the next deployment continues: each migration is its own transaction, and everything else can be repeated.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes.html
"""

import json
import logging
import os
import urllib.request
from typing import Any
from urllib.parse import quote

import boto3
import psycopg
from psycopg import sql

from migrations.__main__ import LOGINS, migrate, newest, passwords, set_passwords

log = logging.getLogger(__name__)


def handler(event: dict[str, Any], context: Any) -> None:
    data: dict[str, str] = {}
    reason = ""
    try:
        if event["RequestType"] != "Delete":  # the data stays
            data["Version"] = migrate_database()
    except Exception as error:
        log.exception("not migrated")
        reason = f"{type(error).__name__}; see {context.log_group_name}"  # details are in the log
    _answer(event, data, reason)


def migrate_database() -> str:
    """Migrates, and returns the newest migration's name."""
    url = _owner_url()
    applied = migrate(url)
    if os.environ["DATABASE_AUTH"] == "iam":
        grant_iam_login(url)
    else:
        set_passwords(url, passwords(os.environ["SECRETS_PREFIX"]))
    log.warning("%s migrations applied", applied)
    return newest()


def grant_iam_login(url: str) -> None:
    """RDS lets members of `rds_iam` log in with tokens only."""
    with psycopg.connect(url) as connection:
        for login in LOGINS:
            connection.execute(sql.SQL("GRANT rds_iam TO {}").format(sql.Identifier(login)))


def _owner_url() -> str:
    answer = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["OWNER_SECRET_ARN"])
    owner = json.loads(answer["SecretString"])
    login = f"{quote(owner['username'], safe='')}:{quote(owner['password'], safe='')}"
    address = f"{os.environ['DATABASE_HOST']}:{os.environ['DATABASE_PORT']}/{os.environ['DATABASE_NAME']}"
    return f"postgresql://{login}@{address}?sslmode={os.environ.get('DATABASE_SSLMODE', 'require')}"


def _answer(event: dict[str, Any], data: dict[str, str], reason: str) -> None:
    """Without this response CloudFormation waits for ServiceTimeout, and then the deployment fails."""
    body = {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": reason,
        "PhysicalResourceId": "schema",
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": data,
    }
    # The URL is signed for an empty content type.
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own address, https
        event["ResponseURL"], data=json.dumps(body).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
