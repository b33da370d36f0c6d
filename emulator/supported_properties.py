"""Properties of emulated resources that are supported, or ignored since they have no effect on one machine.

Any other property is an error: ignoring it would hide a difference.
"""

from collections.abc import Collection, Mapping
from typing import Any

from emulator.stack import StackError

FUNCTION = {
    # supported
    *("Code", "DeadLetterConfig", "Environment", "FunctionName", "Handler", "Layers", "LoggingConfig", "MemorySize"),
    *("PackageType", "ReservedConcurrentExecutions", "Runtime", "SnapStart", "Timeout"),
    # ignored: about the machine, permissions or records
    *("Architectures", "CodeSigningConfigArn", "Description", "EphemeralStorage", "KmsKeyArn", "RecursiveLoop", "Role"),
    *("RuntimeManagementConfig", "Tags", "TracingConfig", "VpcConfig"),
}
ALIAS = {
    *("FunctionName", "FunctionVersion", "Name"),
    *("Description", "ProvisionedConcurrencyConfig"),  # the latter only affects cold starts
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
    "DisableExecuteApiEndpoint",  # the emulator serves at the root, like a custom domain
}
BODY = {
    *("components", "paths", "security", "securityDefinitions"),
    *("x-amazon-apigateway-binary-media-types", "x-amazon-apigateway-gateway-responses"),
    *("x-amazon-apigateway-minimum-compression-size", "x-amazon-apigateway-endpoint-configuration"),
    *("basePath", "definitions", "externalDocs", "host", "info", "openapi", "produces", "consumes", "schemes"),
    *("servers", "swagger", "tags", "x-amazon-apigateway-documentation"),
    # names of validators only: a method that uses one is rejected
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
    "FlexibleTimeWindow",  # invoked at the start of the window
}
SCHEDULE_TARGET = {
    *("Arn", "DeadLetterConfig", "Input", "RetryPolicy"),
    *("Id", "RoleArn"),
}
RULE = {
    *("ScheduleExpression", "State", "Targets"),
    *("Description", "EventBusName", "Name", "RoleArn", "Tags"),
}
# Properties accepted with these values only: the same as leaving them out.
_OFF: Mapping[str, Any] = {
    "CacheClusterEnabled": False,
    "CachingEnabled": False,
    "responseTransferMode": "BUFFERED",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "ScheduleExpressionTimezone": "UTC",
}

# Set by Lambda itself. https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
RESERVED_VARIABLES = {
    *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV"),
    *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"),
    *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
    *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
}


def check_supported(properties: Mapping[str, Any], supported: Collection[str], where: str) -> None:
    """Raises StackError for the first property that is not supported and not off."""
    for name, value in sorted(properties.items()):
        if name not in supported and (name not in _OFF or _plain(value) != _plain(_OFF[name])):
            raise StackError(f"{where}.{name}: not emulated")


def in_range(properties: Mapping[str, Any], name: str, default: int, least: int, most: int, where: str) -> int:
    """A whole number between the limits Lambda has for it; raises StackError for anything else."""
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
