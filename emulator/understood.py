"""Which properties of the resources we emulate are acted on, and which change nothing that can be seen on one machine.

Every other one is refused by its path: silence would be a lie.
"""

from collections.abc import Collection, Mapping
from typing import Any

from emulator.stack import StackError

FUNCTION = {
    # acted on
    *("Code", "DeadLetterConfig", "Environment", "FunctionName", "Handler", "Layers", "LoggingConfig", "MemorySize"),
    *("PackageType", "ReservedConcurrentExecutions", "Runtime", "SnapStart", "Timeout"),
    # of the machine it would run on, of its permissions, or of what is recorded about it
    *("Architectures", "CodeSigningConfigArn", "Description", "EphemeralStorage", "KmsKeyArn", "RecursiveLoop", "Role"),
    *("RuntimeManagementConfig", "Tags", "TracingConfig", "VpcConfig"),
}
ALIAS = {
    *("FunctionName", "FunctionVersion", "Name"),
    *("Description", "ProvisionedConcurrencyConfig"),  # the latter: warm sooner, else the same
}
EVENT_INVOKE = {
    "DestinationConfig",
    "FunctionName",
    "MaximumEventAgeInSeconds",
    "MaximumRetryAttempts",
    "Qualifier",
}
REST_API = {
    *("BinaryMediaTypes", "Body", "MinimumCompressionSize"),
    *("Description", "EndpointConfiguration", "FailOnWarnings", "Mode", "Name", "Parameters", "SecurityPolicy", "Tags"),
    "DisableExecuteApiEndpoint",  # here it is the custom domain's address that answers
}
BODY = {
    *("components", "paths", "security", "securityDefinitions"),
    *("x-amazon-apigateway-binary-media-types", "x-amazon-apigateway-gateway-responses"),
    *("x-amazon-apigateway-minimum-compression-size", "x-amazon-apigateway-endpoint-configuration"),
    *("basePath", "definitions", "externalDocs", "host", "info", "openapi", "produces", "consumes", "schemes"),
    *("servers", "swagger", "tags", "x-amazon-apigateway-documentation"),
    # names of validators only: a method that uses one is refused
    *("x-amazon-apigateway-request-validators", "x-amazon-apigateway-request-validator"),
}
STAGE = {
    *("DeploymentId", "MethodSettings", "RestApiId", "StageName", "Variables"),
    *("AccessLogSetting", "CacheClusterSize", "ClientCertificateId", "Description", "DocumentationVersion"),
    *("Tags", "TracingEnabled"),
}
METHOD_SETTING = {
    *("HttpMethod", "ResourcePath", "ThrottlingBurstLimit", "ThrottlingRateLimit"),
    *("CacheDataEncrypted", "CacheTtlInSeconds", "DataTraceEnabled", "LoggingLevel", "MetricsEnabled"),
}
INTEGRATION = {
    *("httpMethod", "requestTemplates", "responses", "timeoutInMillis", "type", "uri"),
    *("connectionType", "credentials", "passthroughBehavior"),
}
SCHEDULE = {
    *("EndDate", "ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "State", "Target"),
    *("Description", "GroupName", "KmsKeyArn", "Name"),
    "FlexibleTimeWindow",  # any time within it will do: the first
}
SCHEDULE_TARGET = {
    *("Arn", "DeadLetterConfig", "Input", "RetryPolicy"),
    *("Id", "RoleArn"),
}
RULE = {
    *("ScheduleExpression", "State", "Targets"),
    *("Description", "EventBusName", "Name", "RoleArn", "Tags"),
}
# Off is what they are without being named.
_OFF: Mapping[str, Any] = {
    "CacheClusterEnabled": False,
    "CachingEnabled": False,
    "responseTransferMode": "BUFFERED",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "ScheduleExpressionTimezone": "UTC",
}

# What Lambda sets itself. https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
RESERVED_VARIABLES = {
    *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV"),
    *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"),
    *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
    *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
}


def refuse_others(properties: Mapping[str, Any], understood: Collection[str], where: str) -> None:
    """Raises StackError for the first property that is neither understood nor off."""
    for name, value in sorted(properties.items()):
        if name not in understood and (name not in _OFF or _plain(value) != _plain(_OFF[name])):
            raise StackError(f"{where}.{name}: not emulated")


def in_range(properties: Mapping[str, Any], name: str, default: int, least: int, most: int, where: str) -> int:
    """A whole number between the limits Lambda has for it; StackError for anything else."""
    value = properties.get(name, default)
    try:
        number = int(str(value))
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise StackError(f"{where}.{name}: {value!r} is not a whole number from {least} to {most}")
    return number


def _plain(value: Any) -> str:
    return str(value).lower()
