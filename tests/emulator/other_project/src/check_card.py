def handler(event, context):
    card = event["headers"].get("X-Card", "")
    effect = "Allow" if card.startswith("reader-") else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    return {
        "principalId": card,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"reader": card.removeprefix("reader-")},
    }
