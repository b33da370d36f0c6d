"""An authorizer. Its token is `<what to answer> <key>`; it notes each call under the key, where there is one."""

from typing import Any

from recorder_client import note


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answers: allow, deny, get-only (a policy that allows GET and nothing else), unauthorized, error."""
    token = next(value for name, value in event["headers"].items() if name.lower() == "authorization")
    verdict, _, key = token.partition(" ")
    if key:
        note(key, {"methodArn": event["methodArn"], "type": event["type"], "keys": sorted(event)})
    if verdict == "unauthorized":
        raise Exception("Unauthorized")  # noqa: TRY002  API Gateway knows this one by its message
    if verdict == "error":
        raise ValueError("the authorizer broke")
    api = "/".join(event["methodArn"].split("/")[:2])
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Deny" if verdict == "deny" else "Allow",
        "Resource": f"{api}/GET/*" if verdict == "get-only" else f"{api}/*",
    }
    return {
        "principalId": "user-1",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"role": "guest", "age": 42, "vip": True},
    }
