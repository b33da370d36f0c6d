import json
import os

from shelf_rules import spine


def handler(event, context):
    where = event["pathParameters"]
    if where["title"] == "missing":
        raise LookupError("no such book")
    body = {
        "library": os.environ["LIBRARY"],
        "spine": spine(where["shelf"], where["title"]),
        "reader": event["requestContext"]["authorizer"]["reader"],
    }
    return {"statusCode": 200, "body": json.dumps(body)}
