"""A translated `AWS::ApiGateway::RestApi`: its OpenAPI body and stage, as routes, authorizers and responses."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from emulator import supported_properties
from emulator.intrinsics import api_id
from emulator.stack import Api, Authorizer, GatewayResponse, Route, StackError
from emulator.supported_properties import check_supported

_METHODS = {"get", "put", "post", "delete", "options", "head", "patch"}
_ANY = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"
_AUTHORIZER = "x-amazon-apigateway-authorizer"
_VALIDATOR = "x-amazon-apigateway-request-validator"

_QUALIFIER = re.compile(r":function:[^:/]+:([^:/]+)")

FunctionOf = Callable[[Any, str], str]  # (ARN or integration URI, place in the template) -> logical id


def read_api(
    name: str,
    properties: Mapping[str, Any],
    stage: Mapping[str, Any],
    extra_responses: Mapping[str, GatewayResponse],
    function_of: FunctionOf,
    *,
    account: str,
    region: str,
) -> Api:
    """One REST API from its resolved properties and those of its stage; raises StackError for what cannot be served."""
    where = f"Resources.{name}"
    body = properties.get("Body")
    if not isinstance(body, Mapping):
        raise StackError(f"{where}.Properties.Body: only APIs defined in the template itself are emulated")
    if body.get(_VALIDATOR):
        raise StackError(f"{where}.Properties.Body.{_VALIDATOR}: request validators are not emulated")
    check_supported(properties, supported_properties.REST_API, f"{where}.Properties")
    check_supported(body, supported_properties.BODY, f"{where}.Properties.Body")
    check_supported(stage, supported_properties.STAGE, f"{where}.Properties")  # where SAM puts a stage's properties
    for index, setting in enumerate(stage.get("MethodSettings") or ()):
        check_supported(setting, supported_properties.METHOD_SETTING, f"{where}.Properties.MethodSettings[{index}]")
    authorizers = _authorizers(where, body, function_of)
    routes = tuple(_routes(where, body, authorizers, function_of))
    responses = {
        kind: _gateway_response(response)
        for kind, response in (body.get("x-amazon-apigateway-gateway-responses") or {}).items()
    }
    binary = body.get("x-amazon-apigateway-binary-media-types") or properties.get("BinaryMediaTypes") or []
    compression = properties.get("MinimumCompressionSize")
    if compression is None:
        compression = body.get("x-amazon-apigateway-minimum-compression-size")
    return Api(
        name=name,
        api_id=api_id(name),
        stage=str(stage.get("StageName", "Prod")),
        routes=routes,
        authorizers=authorizers,
        responses={**responses, **extra_responses},
        minimum_compression=None if compression is None else int(compression),
        method_settings=tuple(stage.get("MethodSettings") or ()),
        variables={key: str(value) for key, value in (stage.get("Variables") or {}).items()},
        binary_types=tuple(str(kind).replace("~1", "/").lower() for kind in binary),
        account=account,
        region=region,
    )


def read_gateway_response(properties: Mapping[str, Any]) -> tuple[str, GatewayResponse]:
    """The type and content of an `AWS::ApiGateway::GatewayResponse` resource."""
    return str(properties["ResponseType"]), _gateway_response(
        {key[0].lower() + key[1:]: value for key, value in properties.items()}
    )


def _gateway_response(response: Mapping[str, Any]) -> GatewayResponse:
    status = response.get("statusCode")
    return GatewayResponse(
        status=None if status is None else int(status),
        headers={
            key.removeprefix("gatewayresponse.header."): str(value)
            for key, value in (response.get("responseParameters") or {}).items()
            if key.startswith("gatewayresponse.header.")
        },
        templates={key: str(value) for key, value in (response.get("responseTemplates") or {}).items()},
    )


def _authorizers(where: str, body: Mapping[str, Any], function_of: FunctionOf) -> dict[str, Authorizer]:
    schemes = {**(body.get("securityDefinitions") or {}), **(body.get("components") or {}).get("securitySchemes", {})}
    authorizers = {}
    for name, scheme in schemes.items():
        place = f"{where}.Properties.Auth.Authorizers.{name}"
        declared = scheme.get(_AUTHORIZER)
        if declared is None:
            continue  # an API key or IAM: rejected below if a route uses it
        kind = str(declared.get("type", "")).upper()
        if kind not in ("REQUEST", "TOKEN"):
            raise StackError(f"{place}: authorizers of type {kind or 'unknown'} are not emulated, only Lambda's")
        sources = str(declared.get("identitySource") or "")
        if kind == "TOKEN":
            sources = f"method.request.header.{scheme.get('name', 'Authorization')}"
        authorizers[name] = Authorizer(
            name=name,
            function=function_of(declared.get("authorizerUri"), place),
            kind=kind,
            identity_sources=tuple(source.strip() for source in sources.split(",") if source.strip()),
            ttl=int(declared.get("authorizerResultTtlInSeconds", 300)),
            validation=declared.get("identityValidationExpression"),
        )
    return authorizers


def _routes(
    where: str, body: Mapping[str, Any], authorizers: Mapping[str, Authorizer], function_of: FunctionOf
) -> list[Route]:
    routes = []
    for resource, methods in (body.get("paths") or {}).items():
        for key, method in methods.items():
            if key == _ANY:
                verb = "ANY"
            elif key.lower() in _METHODS:
                verb = key.upper()
            else:
                continue  # "parameters", "summary": of the path, not a method
            routes.append(_route(f"{where} {verb} {resource}", verb, resource, method, body, authorizers, function_of))
    return routes


def _route(
    place: str,
    verb: str,
    resource: str,
    method: Mapping[str, Any],
    body: Mapping[str, Any],
    authorizers: Mapping[str, Authorizer],
    function_of: FunctionOf,
) -> Route:
    if method.get(_VALIDATOR):
        raise StackError(f"{place}: request validators are not emulated")
    integration = method.get(_INTEGRATION) or {}
    kind = str(integration.get("type", "")).lower()
    if kind in ("aws_proxy", "mock"):
        check_supported(integration, supported_properties.INTEGRATION, f"{place} integration")
    authorizer = _route_authorizer(place, method.get("security", body.get("security")), authorizers)
    if kind == "mock":
        templates = list((integration.get("requestTemplates") or {}).values())
        if any("#" in text or "$" in text for text in templates):
            raise StackError(f"{place}: a mock integration's template must not compute anything")
        return Route(verb, resource, None, authorizer, mock=integration)
    if kind != "aws_proxy":
        raise StackError(f"{place}: integrations of type {kind or 'none'} are not emulated, only aws_proxy and mock")
    qualifier = _QUALIFIER.search(str(integration.get("uri")))
    return Route(
        verb,
        resource,
        function_of(integration.get("uri"), place),
        authorizer,
        timeout=float(integration.get("timeoutInMillis", 29_000)) / 1000,
        qualifier=qualifier.group(1) if qualifier else None,
    )


def _route_authorizer(place: str, security: Any, authorizers: Mapping[str, Authorizer]) -> str | None:
    wanted = [name for item in security or () for name in item if name != "NONE"]
    unknown = [name for name in wanted if name not in authorizers]
    if unknown:
        raise StackError(f"{place}: {', '.join(unknown)} is not a Lambda authorizer, and no other kind is emulated")
    if len(wanted) > 1:
        raise StackError(f"{place}: a method can have one authorizer, not {len(wanted)}")
    return wanted[0] if wanted else None


def mock_status(integration: Mapping[str, Any]) -> str:
    """The status that a mock integration's request template selects; "200" by default."""
    for template in (integration.get("requestTemplates") or {}).values():
        try:
            return str(json.loads(template)["statusCode"])
        except (ValueError, KeyError, TypeError):
            continue
    return "200"
