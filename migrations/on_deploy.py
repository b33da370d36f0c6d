"""Migrates during a deployment, before any new code of the application is there (infra/schema.yaml).

CloudFormation calls when migrations/ has changed, and waits: if this fails, nothing of the deployment happens. It is
called for each step back as well, and then finds nothing to do, as migrations only go forward: the code of the
deployment before must live with what a migration changes.

Die anywhere, and the next deployment goes on there: each migration is a transaction of its own, everything else can be
repeated. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes.html
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
        if event["RequestType"] != "Delete":  # the data stay
            data["Version"] = bring_up_to_date()
    except Exception as error:
        log.exception("not migrated")
        reason = f"{type(error).__name__}; see {context.log_group_name}"  # the log has the rest
    _answer(event, data, reason)


def bring_up_to_date() -> str:
    """The newest migration there is now."""
    url = _owner_url()
    applied = migrate(url)
    if os.environ["DATABASE_AUTH"] == "iam":
        let_iam_in(url)
    else:
        set_passwords(url, passwords(os.environ["SECRETS_PREFIX"]))
    log.warning("%s migrations applied", applied)
    return newest()


def let_iam_in(url: str) -> None:
    """RDS lets members of `rds_iam` sign in with tokens, and with those only."""
    with psycopg.connect(url) as connection:
        for login in LOGINS:
            connection.execute(sql.SQL("GRANT rds_iam TO {}").format(sql.Identifier(login)))


def _owner_url() -> str:
    answer = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["OWNER_SECRET_ARN"])
    owner = json.loads(answer["SecretString"])
    who = f"{quote(owner['username'], safe='')}:{quote(owner['password'], safe='')}"
    where = f"{os.environ['DATABASE_HOST']}:{os.environ['DATABASE_PORT']}/{os.environ['DATABASE_NAME']}"
    return f"postgresql://{who}@{where}?sslmode={os.environ.get('DATABASE_SSLMODE', 'require')}"


def _answer(event: dict[str, Any], data: dict[str, str], reason: str) -> None:
    """Without it CloudFormation waits for ServiceTimeout and then gives the deployment up."""
    body = {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": reason,
        "PhysicalResourceId": "schema",
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": data,
    }
    # The signature is of an empty type.
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own address, https
        event["ResponseURL"], data=json.dumps(body).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
