"""Answers with the event it got."""

import json
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """One header twice; a long body or a picture where the query asks for it."""
    query = event.get("queryStringParameters") or {}
    if query.get("answer") == "picture":
        return {
            "statusCode": 200,
            "headers": {"Content-Type": "image/png"},
            "body": "iVBORw0KGgo=",
            "isBase64Encoded": True,
        }
    if query.get("answer") == "challenge":
        return {"statusCode": 401, "headers": {"WWW-Authenticate": "Bearer"}, "body": "{}"}
    if query.get("answer") == "long":
        event = {**event, "padding": "x" * 5000}
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
        "body": json.dumps(event),
    }
