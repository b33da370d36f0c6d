"""API Gateway's own error responses, and how a template overrides them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from emulator.proxy_event import Request, Response
from emulator.stack import Api, GatewayResponse

# type -> (status, x-amzn-ErrorType)
_TYPES = {
    "ACCESS_DENIED": (403, "AccessDeniedException"),
    "API_CONFIGURATION_ERROR": (500, "InternalServerErrorException"),
    "AUTHORIZER_CONFIGURATION_ERROR": (500, "AuthorizerConfigurationException"),
    "AUTHORIZER_FAILURE": (500, "AuthorizerFailureException"),
    "BAD_REQUEST_BODY": (400, "BadRequestException"),
    "DEFAULT_5XX": (500, "InternalServerErrorException"),
    "INTEGRATION_FAILURE": (504, "InternalServerErrorException"),
    "INTEGRATION_TIMEOUT": (504, "InternalServerErrorException"),
    "MISSING_AUTHENTICATION_TOKEN": (403, "MissingAuthenticationTokenException"),
    "REQUEST_TOO_LARGE": (413, "RequestTooLargeException"),
    "THROTTLED": (429, "TooManyRequestsException"),
    "UNAUTHORIZED": (401, "UnauthorizedException"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "UnsupportedMediaTypeException"),
}

_DEFAULT_TEMPLATE = {"application/json": '{"message":$context.error.messageString}'}
_VARIABLE = re.compile(r"\$(?:(context|stageVariables)((?:\.\w+)+)|\{(context|stageVariables)((?:\.\w+)+)\})")


class GatewayFailure(Exception):
    """API Gateway responds itself. `status` is given if it differs from the type's documented default.

    `function` and `cause` are for the log, not for the client: which function failed, and why.
    """

    def __init__(
        self,
        kind: str,
        message: str | None,
        *,
        status: int | None = None,
        context: Mapping[str, Any] | None = None,
        function: str = "",
        cause: str = "",
    ) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message
        self.status = status or _TYPES[kind][0]
        self.function = function
        self.cause = cause
        self.context = context  # the requestContext, if it has more than the caller's


def gateway_response(api: Api, request: Request, context: Mapping[str, Any], failure: GatewayFailure) -> Response:
    """The response for a failure: the template's override of its type, or of DEFAULT_4XX or _5XX, or the default."""
    fallback = "DEFAULT_4XX" if failure.status < 500 else "DEFAULT_5XX"
    override = api.responses.get(failure.kind) or api.responses.get(fallback) or GatewayResponse(status=None)
    status = override.status or failure.status
    variables = {
        **context,
        "error": {
            "message": failure.message,
            "messageString": json.dumps(failure.message),
            "responseType": failure.kind,
            "validationErrorString": None,
        },
        "status": status,
    }
    content_type, template = _choose(override.templates or _DEFAULT_TEMPLATE, request)
    headers = [("Content-Type", content_type), ("x-amzn-ErrorType", _TYPES[failure.kind][1])]
    for name, expression in override.headers.items():
        value = _expression(expression, api, request, variables)
        if value is not None:
            headers = [line for line in headers if line[0].lower() != name.lower()]
            headers.append((name, value))
    return Response(status, headers, substitute(template, variables, api.variables).encode())


def substitute(template: str, context: Mapping[str, Any], stage_variables: Mapping[str, str]) -> str:
    """`$context.…` and `$stageVariables.…` replaced by plain text, as in gateway responses, which are not VTL.

    A name without a value becomes an empty string.
    """

    def replaced(match: re.Match[str]) -> str:
        scope, path = (match.group(1), match.group(2)) if match.group(1) else (match.group(3), match.group(4))
        value = _look_up(context if scope == "context" else stage_variables, path[1:])
        return "" if value is None else str(value)

    return _VARIABLE.sub(replaced, template)


def _choose(templates: Mapping[str, str], request: Request) -> tuple[str, str]:
    """The template for a media type that the client accepts; else the JSON one, else the first."""
    for accepted in (request.header("accept") or "").split(","):
        media_type = accepted.split(";")[0].strip()
        if media_type in templates:
            return media_type, templates[media_type]
    if "application/json" in templates:
        return "application/json", templates["application/json"]
    return next(iter(templates.items()))


def _expression(text: str, api: Api, request: Request, context: Mapping[str, Any]) -> str | None:
    """A header's mapping expression: 'a literal', context.x, stageVariables.x, or a part of the request."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1]
    scope, _, name = text.partition(".")
    value: Any = None
    if scope == "context":
        value = _look_up(context, name)
    elif scope == "stageVariables":
        value = api.variables.get(name)
    elif text.startswith("method.request.header."):
        value = request.header(text.removeprefix("method.request.header."))
    elif text.startswith("method.request.querystring."):
        values = parse_qs(request.query).get(text.removeprefix("method.request.querystring."))
        value = values[-1] if values else None
    # A value from outside must not end the header and start another.
    return None if value is None else str(value).replace("\r", " ").replace("\n", " ")


def _look_up(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for part in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found
