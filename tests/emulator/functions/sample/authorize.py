"""An authorizer whose result depends on the token."""

calls = 0


def handler(event, _context):
    global calls
    calls += 1
    token = event["authorizationToken"] if event["type"] == "TOKEN" else event["headers"]["Authorization"]
    if token == "unauthorized":
        raise Exception("Unauthorized")  # noqa: TRY002  the contract is this very message
    if token == "crash":
        raise ValueError("the key store is down")
    if token == "nopolicy":
        return {"principalId": "someone"}
    context_values = {"role": "USER", "calls": calls, "vip": True, "event": " ".join(sorted(event))}
    if token == "nested":
        context_values["nested"] = {"not": "allowed"}
    statements = {
        "deny": [_statement("Deny", "*"), _statement("Allow", "*")],
        "elsewhere": [_statement("Allow", "arn:aws:execute-api:*/GET/elsewhere")],
        "reading": [_statement("Allow", "arn:aws:execute-api:*/v1/GET/*")],
        "odd": [{"Effect": "Maybe", "Action": "execute-api:Invoke", "Resource": "*"}],
        "condition": [{**_statement("Allow", "*"), "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.1"}}}],
    }.get(token, [_statement("Allow", event["methodArn"])])
    return {
        "principalId": "someone",
        "policyDocument": {"Version": "2012-10-17", "Statement": statements},
        "context": context_values,
    }


def _statement(effect, resource):
    return {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource}
