"""What a template declares, as data that all parts of the emulator share.

`template.load` creates it; runtime, gateway, triggers and cli only read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class StackError(Exception):
    """The template cannot run on this machine. The message is one line for the user."""


@dataclass(frozen=True)
class Function:
    """One `AWS::Lambda::Function`."""

    name: str  # the logical id, which is also what Invoke is called with
    arn: str
    handler: str  # "functions.queue.handlers.enter_queue.handler"
    code: Path  # the first folder on sys.path, like /var/task
    layers: tuple[Path, ...]  # each layer's `python/` folder, like /opt/python
    runtime: str
    memory_mb: int
    timeout: float  # seconds
    environment: Mapping[str, str]
    reserved_concurrency: int | None = None
    snap_start: bool = False
    deployed_name: str = ""  # FunctionName if the template sets one; Invoke accepts it too
    async_retries: int = 2  # MaximumRetryAttempts of asynchronous invocations
    async_age: float = 21_600.0  # seconds: MaximumEventAgeInSeconds
    on_success: str | None = None  # destination ARN of asynchronous invocations that succeed
    on_failure: str | None = None  # destination ARN of those that are given up
    dead_letters: str | None = None  # ARN of the queue for the events of those given up
    version: str = "$LATEST"  # "1" if the template publishes versions
    aliases: tuple[str, ...] = ()  # of that version
    variables: Mapping[str, str] = field(default_factory=dict)  # set by Lambda, not by the template


@dataclass(frozen=True)
class Authorizer:
    """A Lambda authorizer of type REQUEST or TOKEN."""

    name: str
    function: str
    kind: str  # "REQUEST" or "TOKEN"
    identity_sources: tuple[str, ...]  # "method.request.header.Authorization"
    ttl: int  # seconds; 0 means off
    validation: str | None = None  # TOKEN: a regular expression for the whole token; else 401 without a call


@dataclass(frozen=True)
class Route:
    """One method of one resource: a Lambda proxy, or a mock (SAM's CORS preflight)."""

    method: str  # "GET", or "ANY"
    resource: str  # "/reservations/hold/{id}"
    function: str | None
    authorizer: str | None = None
    timeout: float = 29.0  # seconds
    qualifier: str | None = None  # the alias the function is called by
    mock: Mapping[str, Any] | None = None  # the x-amazon-apigateway-integration of a mock, with its response parameters


@dataclass(frozen=True)
class GatewayResponse:
    """Overrides one of API Gateway's own responses (ACCESS_DENIED, DEFAULT_5XX, …)."""

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)  # name -> mapping expression, as in the template
    templates: Mapping[str, str] = field(default_factory=dict)  # content type -> template


@dataclass(frozen=True)
class Api:
    """One REST API and its stage."""

    name: str
    api_id: str
    stage: str
    routes: tuple[Route, ...]
    authorizers: Mapping[str, Authorizer]
    responses: Mapping[str, GatewayResponse]
    minimum_compression: int | None = None  # bytes
    method_settings: tuple[Mapping[str, Any], ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)  # of the stage
    binary_types: tuple[str, ...] = ()  # media types sent as base64; "*/*" means all
    account: str = "000000000000"
    region: str = "us-east-1"


@dataclass(frozen=True)
class Schedule:
    """An EventBridge schedule that invokes a function asynchronously."""

    name: str
    function: str
    expression: str  # "rate(1 minute)" or "cron(…)"
    input: str | None
    enabled: bool = True
    properties: Mapping[str, Any] = field(default_factory=dict)  # of its target: RetryPolicy, DeadLetterConfig


@dataclass(frozen=True)
class KafkaSource:
    """A Kafka event source mapping, MSK or self-managed."""

    name: str
    function: str
    topic: str
    group: str
    source_arn: str | None  # MSK's cluster ARN; None for a self-managed cluster
    batch_size: int = 100
    window: float = 0.5  # seconds
    starting_position: str = "TRIM_HORIZON"
    report_item_failures: bool = False
    enabled: bool = True
    properties: Mapping[str, Any] = field(default_factory=dict)  # other properties of the mapping


@dataclass(frozen=True)
class Stack:
    """A whole template, evaluated with its parameters."""

    name: str
    functions: Mapping[str, Function]
    apis: tuple[Api, ...]
    schedules: tuple[Schedule, ...]
    kafka_sources: tuple[KafkaSource, ...]
