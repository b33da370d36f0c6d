"""A SAM template, with its parameters, read into a `Stack`: what SAM would deploy. Raises StackError."""

import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emulator import supported_properties
from emulator.circular_references import check_no_cycles
from emulator.intrinsics import Resolver
from emulator.rest_api import read_api, read_gateway_response
from emulator.stack import Api, Function, GatewayResponse, KafkaSource, Schedule, Stack, StackError
from emulator.supported_properties import check_supported, in_range
from emulator.translate import local_path, translate

_EVENT_TYPES = {"Api", "MSK", "Schedule", "ScheduleV2", "SelfManagedKafka"}

# These run code or route requests in ways that are not emulated: ignoring them would hide that.
_UNSUPPORTED_TYPES = {
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Resource",
    "AWS::ApiGatewayV2::Api",
    "AWS::AppSync::GraphQLApi",
    "AWS::Lambda::Url",
    "AWS::StepFunctions::StateMachine",
}

_KAFKA_FIELDS = {
    *("BatchSize", "Enabled", "EventSourceArn", "FunctionName", "MaximumBatchingWindowInSeconds"),
    *("StartingPosition", "Topics"),
}
_RUNTIME = re.compile(r"python3\.\d+")
_FUNCTION_ARN = re.compile(r":function:([A-Za-z0-9_-]+)")
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
_MAX_VARIABLES = 4096  # bytes


def load(
    path: Path,
    parameters: Mapping[str, str] | None = None,
    *,
    account: str = "000000000000",
    region: str = "ap-northeast-2",
    cache: Path | None = None,
) -> Stack:
    """Reads the template at `path` with `parameters` over its defaults.

    `cache` is a folder for translated templates. Raises StackError, one line with the path in the template, for a
    parameter that is unknown, missing or not allowed, and for anything that would not run as on AWS.
    """
    given = dict(parameters or {})
    document = translate(path, given, region, cache)
    values = parameter_values(path, document.get("Parameters") or {}, given)
    resolver = Resolver(document, values, account=account, region=region, stack_name=path.absolute().parent.name)
    return _Reader(path, document, resolver).stack()


def parameter_values(path: Path, declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """The `declared` parameters' values: text, or lists of it. Raises StackError if `given` values do not fit."""
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise StackError(f"{path}: the template has no parameter {', '.join(unknown)}")
    missing = [name for name, body in declared.items() if name not in given and "Default" not in body]
    if missing:
        raise StackError(f"{path}: parameters without a value: {', '.join(missing)}")
    values: dict[str, Any] = {}
    for name, body in declared.items():
        value = str(given.get(name, body.get("Default")))
        allowed = body.get("AllowedValues")
        if allowed is not None and value not in [str(item) for item in allowed]:
            raise StackError(f"Parameters.{name}: {value!r} is not one of {', '.join(map(str, allowed))}")
        pattern = body.get("AllowedPattern")
        if pattern is not None and not re.fullmatch(pattern, value):
            raise StackError(f"Parameters.{name}: {value!r} does not match {pattern}")
        _check_parameter(f"Parameters.{name}", body, value)
        is_list = body.get("Type") == "CommaDelimitedList" or str(body.get("Type")).startswith("List<")
        values[name] = [item.strip() for item in value.split(",")] if is_list else value
    return values


def _check_parameter(where: str, body: Mapping[str, Any], value: str) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html"""
    kind, measured, bounds = str(body.get("Type")), float(len(value)), ("MinLength", "MaxLength")
    if kind == "Number":
        try:
            measured, bounds = float(value), ("MinValue", "MaxValue")
        except ValueError:
            raise StackError(f"{where}: {value!r} is not a number") from None
    least, most = (body.get(bound) for bound in bounds)
    if least is not None and measured < float(least):
        raise StackError(f"{where}: {value!r} is under its {bounds[0]}, {least}")
    if most is not None and measured > float(most):
        raise StackError(f"{where}: {value!r} is over its {bounds[1]}, {most}")


class _Reader:
    """Reads the resources of one translated template."""

    def __init__(self, path: Path, document: Mapping[str, Any], resolver: Resolver) -> None:
        self._path = path
        self._root = path.absolute().parent
        self._resolver = resolver
        self._events: Mapping[str, Mapping[str, str]] = document["SamEvents"]
        self._resources = {
            name: resource for name, resource in document["Resources"].items() if resolver.applies(resource)
        }
        check_no_cycles(self._resources)
        self._names: dict[str, str] = {}  # the name in an ARN -> the function's logical id

    def stack(self) -> Stack:
        self._check_types()
        for name, _ in self._of_type("AWS::Lambda::Function"):
            self._names[str(self._resolver.ref(name, f"Resources.{name}"))] = name
            self._names[name] = name
        asynchronous = dict(self._asynchronous())
        aliases: dict[str, list[str]] = {}
        for name, properties in self._of_type("AWS::Lambda::Alias"):
            where = f"Resources.{name}.Properties"
            check_supported(properties, supported_properties.ALIAS, where)
            function = self._function_of(properties.get("FunctionName"), f"{where}.FunctionName")
            aliases.setdefault(function, []).append(str(properties.get("Name")))
        published = {
            self._function_of(properties.get("FunctionName"), f"Resources.{name}.Properties.FunctionName")
            for name, properties in self._of_type("AWS::Lambda::Version")
        }
        layers = {self._resolver.ref(name, ""): name for name, _ in self._of_type("AWS::Lambda::LayerVersion")}
        functions = {
            name: self._function(
                name,
                properties,
                layers,
                version="1" if name in published else "$LATEST",
                aliases=tuple(aliases.get(name, ())),
                **asynchronous.get(name, {}),
            )
            for name, properties in self._of_type("AWS::Lambda::Function")
        }
        return Stack(
            name=self._root.name,
            functions=functions,
            apis=tuple(self._apis()),
            schedules=tuple(self._schedules()),
            kafka_sources=tuple(self._kafka_sources()),
        )

    def _check_types(self) -> None:
        for function, events in self._events.items():
            for event, kind in events.items():
                if function in self._resources and kind not in _EVENT_TYPES:
                    raise StackError(
                        f"Resources.{function}.Properties.Events.{event}: events of type {kind} are not emulated,"
                        f" only {', '.join(sorted(_EVENT_TYPES))}"
                    )
        for name, resource in self._resources.items():
            if resource.get("Type") in _UNSUPPORTED_TYPES:
                raise StackError(f"Resources.{name}: {resource['Type']} is not emulated")

    def _of_type(self, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, resource in self._resources.items():
            if resource.get("Type") in kinds:
                yield name, self._resolver.value(resource.get("Properties") or {}, f"Resources.{name}.Properties")

    def _function_of(self, value: Any, where: str) -> str:
        found = _FUNCTION_ARN.search(str(value))
        name = self._names.get(found.group(1) if found else str(value))
        if name is None:
            raise StackError(f"{where}: {value!r} is not a function of this template")
        return name

    def _function(self, name: str, properties: Mapping[str, Any], layers: Mapping[str, str], **more: Any) -> Function:
        where = f"Resources.{name}.Properties"
        if properties.get("PackageType", "Zip") != "Zip":
            raise StackError(f"{where}.PackageType: only Zip functions are emulated, not {properties['PackageType']}")
        runtime = str(properties.get("Runtime"))
        if not _RUNTIME.fullmatch(runtime):
            raise StackError(f"{where}.Runtime: {runtime} is not emulated, only python3")
        check_supported(properties, supported_properties.FUNCTION, where)
        handler = str(properties.get("Handler"))
        if "." not in handler:
            raise StackError(f"{where}.Handler: {handler} is not module.function")
        deployed = str(properties.get("FunctionName", name))
        reserved = properties.get("ReservedConcurrentExecutions")
        layer_folders = []
        for arn in properties.get("Layers") or ():
            if arn not in layers:
                raise StackError(f"{where}.Layers: {arn} is not a layer of this template")
            layer_folders.append(self._layer(layers[arn]))
        dead_letters = (properties.get("DeadLetterConfig") or {}).get("TargetArn")
        return Function(
            name=name,
            arn=f"arn:aws:lambda:{self._resolver.region}:{self._resolver.account}:function:{deployed}",
            handler=handler,
            code=self._code(name, properties.get("Code"), handler),
            layers=tuple(layer_folders),
            runtime=runtime,
            memory_mb=in_range(properties, "MemorySize", 128, 128, 10_240, where),
            timeout=float(in_range(properties, "Timeout", 3, 1, 900, where)),
            environment=_variables(properties, where),
            reserved_concurrency=None if reserved is None else int(reserved),
            snap_start=(properties.get("SnapStart") or {}).get("ApplyOn") == "PublishedVersions"
            and more["version"] != "$LATEST",
            deployed_name=deployed,
            dead_letters=None if dead_letters is None else self._queue(dead_letters, f"{where}.DeadLetterQueue"),
            variables=_logging(properties.get("LoggingConfig") or {}, f"{where}.LoggingConfig"),
            **more,
        )

    def _code(self, name: str, code: Any, handler: str) -> Path:
        """The folder that contains the handler's module: CodeUri, or the nearest parent folder that contains it.

        Parents are for makefile builds run from source: a build may put files below a folder of its own.
        """
        where = f"Resources.{name}.Properties.CodeUri"
        declared = local_path(code)
        if declared is None:
            raise StackError(f"{where}: the code must be a local folder")
        folder = (self._root / declared).resolve()
        module = Path(*handler.rpartition(".")[0].split("."))
        root = self._root.resolve()
        candidates = [folder]
        if folder.is_relative_to(root):
            candidates += [parent for parent in folder.parents if parent.is_relative_to(root)]
        for candidate in candidates:
            if (candidate / module.with_suffix(".py")).is_file() or (candidate / module / "__init__.py").is_file():
                return candidate
        raise StackError(
            f"{where}: {name}'s handler {handler} needs {module.with_suffix('.py')}, which is neither in {declared}"
            f" nor in a folder above it"
        )

    def _layer(self, logical_id: str) -> Path:
        content = self._resources[logical_id]["Properties"].get("Content")
        declared = local_path(content)
        if declared is None:
            raise StackError(f"Resources.{logical_id}.Properties.ContentUri: the layer must be a local folder")
        folder = (self._root / declared).resolve()
        if not folder.is_dir():
            raise StackError(f"Resources.{logical_id}.Properties.ContentUri: there is no folder {declared}")
        # sam build moves a layer's files under python/; a source folder may not have it yet.
        return folder / "python" if (folder / "python").is_dir() else folder

    def _asynchronous(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Settings of asynchronous invocations by function, as arguments of `Function`."""
        for name, properties in self._of_type("AWS::Lambda::EventInvokeConfig"):
            where = f"Resources.{name}.Properties"
            check_supported(properties, supported_properties.EVENT_INVOKE, where)
            function = self._function_of(properties.get("FunctionName"), f"{where}.FunctionName")
            config = f"Resources.{function}.Properties.EventInvokeConfig"  # as SAM names it
            destinations = properties.get("DestinationConfig") or {}
            check_supported(destinations, ("OnFailure", "OnSuccess"), f"{config}.DestinationConfig")
            found: dict[str, Any] = {
                "async_retries": in_range(properties, "MaximumRetryAttempts", 2, 0, 2, config),
                "async_age": float(in_range(properties, "MaximumEventAgeInSeconds", 21_600, 60, 21_600, config)),
            }
            for key, field in (("OnSuccess", "on_success"), ("OnFailure", "on_failure")):
                address = (destinations.get(key) or {}).get("Destination")
                if address is not None:
                    place = f"{config}.DestinationConfig.{key}.Destination"
                    if ":function:" in str(address):
                        function_arn = self._function_of(address, place)
                        found[field] = f"arn:aws:lambda:{self._resolver.region}::function:{function_arn}"
                    else:
                        found[field] = self._queue(address, place)
            yield function, found

    @staticmethod
    def _queue(arn: Any, where: str) -> str:
        if ":sqs:" not in str(arn) or str(arn).endswith(".fifo"):
            raise StackError(f"{where}: {arn} is not emulated, only standard SQS queues are")
        return str(arn)

    def _apis(self) -> Iterator[Api]:
        stages = {
            str(properties.get("RestApiId")): properties for _, properties in self._of_type("AWS::ApiGateway::Stage")
        }
        extra: dict[str, dict[str, GatewayResponse]] = {}
        for _, properties in self._of_type("AWS::ApiGateway::GatewayResponse"):
            kind, response = read_gateway_response(properties)
            extra.setdefault(str(properties.get("RestApiId")), {})[kind] = response
        for name, properties in self._of_type("AWS::ApiGateway::RestApi"):
            key = str(self._resolver.ref(name, f"Resources.{name}"))
            yield read_api(
                name,
                properties,
                stages.get(key, {}),
                extra.get(key, {}),
                self._function_of,
                account=self._resolver.account,
                region=self._resolver.region,
            )

    def _schedules(self) -> Iterator[Schedule]:
        for name, properties in self._of_type("AWS::Scheduler::Schedule"):
            target = properties.get("Target") or {}
            where = f"Resources.{name}.Properties"
            check_supported(properties, supported_properties.SCHEDULE, where)
            check_supported(target, supported_properties.SCHEDULE_TARGET, f"{where}.Target")
            yield Schedule(
                name=name,
                function=self._function_of(target.get("Arn"), f"{where}.Target"),
                expression=str(properties.get("ScheduleExpression")),
                input=target.get("Input"),
                enabled=properties.get("State", "ENABLED") == "ENABLED",
                properties={**_of_time(properties), **_of_target(target)},
            )
        for name, properties in self._of_type("AWS::Events::Rule"):
            where = f"Resources.{name}.Properties"
            for index, target in enumerate(properties.get("Targets") or ()):
                if ":function:" not in str(target.get("Arn")):
                    continue  # for example an alarm to a topic: infrastructure
                if "EventPattern" in properties:
                    raise StackError(f"{where}.EventPattern: only rules with a schedule are emulated")
                check_supported(properties, supported_properties.RULE, where)
                check_supported(target, supported_properties.SCHEDULE_TARGET, f"{where}.Targets[{index}]")
                yield Schedule(
                    name=name if index == 0 else f"{name}-{index}",
                    function=self._function_of(target["Arn"], f"{where}.Targets[{index}]"),
                    expression=str(properties.get("ScheduleExpression")),
                    input=target.get("Input"),
                    enabled=properties.get("State", "ENABLED") == "ENABLED",
                    properties=_of_target(target),
                )

    def _kafka_sources(self) -> Iterator[KafkaSource]:
        for name, properties in self._of_type("AWS::Lambda::EventSourceMapping"):
            where = f"Resources.{name}.Properties"
            topics = properties.get("Topics") or []
            if len(topics) != 1:
                raise StackError(f"{where}: only Kafka event sources with one topic are emulated")
            self_managed = "SelfManagedEventSource" in properties
            config = properties.get(
                "SelfManagedKafkaEventSourceConfig" if self_managed else "AmazonManagedKafkaEventSourceConfig"
            )
            # On AWS the default group is the mapping's UUID, which never changes.
            group = (config or {}).get("ConsumerGroupId") or str(uuid.uuid5(uuid.NAMESPACE_URL, name))
            yield KafkaSource(
                name=name,
                function=self._function_of(properties.get("FunctionName"), f"{where}.FunctionName"),
                topic=str(topics[0]),
                group=str(group),
                source_arn=None if self_managed else str(properties.get("EventSourceArn")),
                batch_size=int(properties.get("BatchSize", 100)),
                window=float(properties.get("MaximumBatchingWindowInSeconds", 0.5)),
                starting_position=str(properties.get("StartingPosition", "TRIM_HORIZON")),
                report_item_failures="ReportBatchItemFailures" in (properties.get("FunctionResponseTypes") or ()),
                enabled=str(properties.get("Enabled", True)).lower() == "true",
                properties={key: value for key, value in properties.items() if key not in _KAFKA_FIELDS},
            )


def _of_target(target: Mapping[str, Any]) -> dict[str, Any]:
    return {key: target[key] for key in ("DeadLetterConfig", "RetryPolicy") if key in target}


def _of_time(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {key: properties[key] for key in ("EndDate", "ScheduleExpressionTimezone", "StartDate") if key in properties}


def _variables(properties: Mapping[str, Any], where: str) -> dict[str, str]:
    """A function's own variables; raises StackError for those that Lambda rejects."""
    where = f"{where}.Environment.Variables"
    given = (properties.get("Environment") or {}).get("Variables") or {}
    for name in given:
        if name in supported_properties.RESERVED_VARIABLES:
            raise StackError(f"{where}.{name}: Lambda sets this variable itself")
        if not _VARIABLE.fullmatch(name):
            raise StackError(
                f"{where}.{name}: a variable's name must be two or more letters, digits or _, starting with a letter"
            )
        if isinstance(given[name], dict | list):
            raise StackError(f"{where}.{name}: a variable must be text")
    variables = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > _MAX_VARIABLES:
        raise StackError(f"{where}: {size} bytes of variables; Lambda allows {_MAX_VARIABLES}")
    return variables


def _logging(config: Mapping[str, Any], where: str) -> dict[str, str]:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html"""
    check_supported(config, ("ApplicationLogLevel", "LogFormat", "LogGroup", "SystemLogLevel"), where)
    names = {
        "AWS_LAMBDA_LOG_FORMAT": "LogFormat",
        "AWS_LAMBDA_LOG_GROUP_NAME": "LogGroup",
        "AWS_LAMBDA_LOG_LEVEL": "ApplicationLogLevel",
    }
    return {variable: str(config[key]) for variable, key in names.items() if key in config}
