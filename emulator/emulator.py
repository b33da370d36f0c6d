"""Builds the emulator: one runtime, one data plane for each REST API, one Invoke API."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from emulator.activity import Activity
from emulator.asynchronous import AsynchronousInvocations, check_destinations
from emulator.environment import LogSink
from emulator.gateway import Gateway
from emulator.invoke_api import InvokeApi
from emulator.runtime import Limits, Runtime, no_log
from emulator.stack import Stack


@dataclass(frozen=True)
class Settings:
    """Where and how a stack runs on this machine."""

    state: Path  # its own folder, created if missing: lists of modules, the environments' temporary files
    host: str = "127.0.0.1"
    gateway_port: int = 3000  # of the first API; each further API takes the next. 0: any free port
    gateway_ports: Mapping[str, int] = field(default_factory=dict)  # API name -> port, before gateway_port
    invoke_port: int = 3001  # 0: any free port
    environment: Mapping[str, str] = field(default_factory=dict)  # for every function, over the template's variables
    interpreter: str = sys.executable  # runs the functions; awslambdaric must be installed
    log: LogSink = no_log  # (function, request id or "", line) for every line a function writes
    limits: Limits = field(default_factory=Limits)
    debug: Mapping[str, int] = field(default_factory=dict)  # function -> the port its debugger connects to
    fork: bool = True  # processes are forked from a server that has their packages loaded
    preload: Sequence[str] = ()  # modules that a fork server imports first, before it knows what functions import
    http: bool = False  # events go over the HTTP Runtime API instead of a socket; such processes are not forked
    retry_delays: tuple[float, ...] = (60.0, 120.0)  # seconds before each retry of an asynchronous invocation


class Emulator:
    """A running stack. `start` it, talk to `api_urls` and `invoke_url`, `close` it."""

    runtime: Runtime
    api_urls: Mapping[str, str]  # API name -> "http://127.0.0.1:3000"; the stage is not part of the path
    invoke_url: str  # for boto3.client("lambda", endpoint_url=…)
    activity: Activity  # of the gateway and the Invoke API; calls of triggers do not count

    def __init__(
        self,
        runtime: Runtime,
        api_urls: Mapping[str, str],
        invoke_url: str,
        activity: Activity,
        parts: AsyncExitStack,
    ) -> None:
        """Use `start`."""
        self.runtime = runtime
        self.api_urls = api_urls
        self.invoke_url = invoke_url
        self.activity = activity
        self._parts = parts

    @classmethod
    async def start(cls, stack: Stack, settings: Settings) -> "Emulator":
        """Listens on every port and returns. No environment is started before the first call.

        Functions also get AWS_ENDPOINT_URL_LAMBDA, the Invoke API's URL, unless the settings' environment sets it.
        Raises StackError if a port is taken; nothing is left running.
        """
        async with AsyncExitStack() as parts:
            # Filled in below: the port may be any free one, and is known only once the Invoke API listens.
            environment = dict(settings.environment)
            runtime = Runtime(
                stack.functions,
                state=settings.state,
                environment=environment,
                interpreter=settings.interpreter,
                log=settings.log,
                limits=settings.limits,
                debug=settings.debug,
                fork=settings.fork,
                http=settings.http,
                preload=settings.preload,
            )
            parts.push_async_callback(runtime.close)
            aws_url = environment.get("AWS_ENDPOINT_URL_SQS") or environment.get("AWS_ENDPOINT_URL")
            check_destinations(list(stack.functions.values()), aws_url)
            events = AsynchronousInvocations(runtime, settings.retry_delays, aws_url)
            parts.push_async_callback(events.close)
            activity = Activity()
            invoke_api = InvokeApi(runtime, events, activity)
            parts.push_async_callback(invoke_api.close)
            invoke_url = f"http://{settings.host}:{await invoke_api.start(settings.host, settings.invoke_port)}"
            environment.setdefault("AWS_ENDPOINT_URL_LAMBDA", invoke_url)
            runtime.import_packages()
            api_urls = {}
            port = settings.gateway_port
            for api in stack.apis:
                gateway = Gateway(api, runtime, activity, settings.log)
                parts.push_async_callback(gateway.close)
                if api.name in settings.gateway_ports:
                    listening = await gateway.start(settings.host, settings.gateway_ports[api.name])
                else:
                    listening = await gateway.start(settings.host, port)
                    port = port and port + 1
                api_urls[api.name] = f"http://{settings.host}:{listening}"
            return cls(runtime, api_urls, invoke_url, activity, parts.pop_all())
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """Rejects new calls and kills every environment."""
        await self._parts.aclose()
