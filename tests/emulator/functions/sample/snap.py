"""Records which hooks ran around its snapshot."""

import json
import os
import time

from snapshot_restore_py import register_after_restore, register_before_snapshot

ran = ["init"]


def before(name):
    if os.environ["BREAK"] == name:
        raise ValueError(f"{name} failed")
    ran.append(name)


def after(name):
    if os.environ["BREAK"] == "slow":
        time.sleep(600)
    before(name)


register_before_snapshot(before, "second before")
register_before_snapshot(before, "first before")
register_after_restore(after, "first after")
register_after_restore(after, "second after")


def handler(event, context):
    seen = {
        "ran": ran,
        "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "version": context.function_version,
        "arn": context.invoked_function_arn,
    }
    return {"statusCode": 200, "body": json.dumps(seen)} if "httpMethod" in event else seen
