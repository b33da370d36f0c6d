"""No decorator: json, a check by hand, print. Every endpoint would have to add the rest of the contract itself."""

import json
from typing import Any
from uuid import UUID


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    try:
        event_id = UUID(json.loads(event["body"])["eventId"])
    except (KeyError, TypeError, ValueError):
        return {"statusCode": 400, "headers": {}, "body": '{"code": "VALIDATION_ERROR"}'}
    user = event["requestContext"]["authorizer"]["sub"]
    print(json.dumps({"message": "request", "status": 200}))
    body = json.dumps({"eventId": str(event_id), "userId": user})
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": body}
