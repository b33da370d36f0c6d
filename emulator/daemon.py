"""The process behind a stack: it owns everything that runs, from `up` to `down`."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import uvloop

from emulator import config as configuration
from emulator import services
from emulator.config import Config, fill_all
from emulator.fixed_ports import API, needed_ports, require_ports
from emulator.options import Options
from emulator.ports import HOST, free_port
from emulator.progress import Report, Step, silent
from emulator.project_process import ProjectProcess, ProjectStep
from emulator.services import Service
from emulator.stack import Stack, StackError
from emulator.state import OCCUPIED, State
from emulator.supervisor import Unit, supervise

if TYPE_CHECKING:  # imported while the services start: together they take half a second
    from emulator.emulator import Emulator
    from emulator.triggers.running import Triggers

_log = logging.getLogger(__name__)

_LAMBDA_PORT_OFFSET = 2  # 3002 beside 3000; where each stack has its own API port, two may start at the same moment


def main(options: Options) -> int:
    """Runs a stack until SIGTERM or SIGINT. Returns the exit code: 0 after a clean stop."""
    state = State(options.state)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("emulator").setLevel(logging.INFO)
    with ExitStack() as held:
        if not held.enter_context(state.hold()):
            return OCCUPIED
        for name in state.begin():
            _log.warning("%s was left running and was killed", name)
        return uvloop.run(_Daemon(options, state).run())  # an eighth faster per call than asyncio's own loop


class _Daemon:
    def __init__(self, options: Options, state: State) -> None:
        self._options = options
        self._state = state
        self._report: Report = silent
        self._since = datetime.now(UTC)
        self._units: list[Unit] = []
        self._triggers: Triggers | None = None
        self._make_steps: Callable[[], list[ProjectStep]] = list

    async def run(self) -> int:
        self._stop_on_signals()
        report = self._report = self._state.progress(os.getpid()).write
        code = 1
        try:
            async with AsyncExitStack() as parts:  # closed in reverse order
                await self._start(parts)
                report(Step("", "ready"))
                await supervise(self._units, self._on_restart)
                await asyncio.Event().wait()  # nothing to supervise if every service is an existing one
        except StackError as error:
            report(Step("", "failed", str(error)))
        except asyncio.CancelledError:
            report(Step("", "failed", "stopped"))
            code = 0
        except Exception as error:
            _log.exception("the emulator failed")
            report(Step("", "failed", f"{type(error).__name__}: {error}"))
        finally:
            self._state.remove_urls()
        return code

    def _stop_on_signals(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task

        def stop() -> None:
            if not task.cancelling():  # a second signal must not interrupt the stop
                task.cancel()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)

    async def _start(self, parts: AsyncExitStack) -> None:
        report = self._report
        config = configuration.of(self._options)
        ports = needed_ports(config, self._options)
        require_ports(ports)
        reserved_ports = frozenset(ports.values())
        lambda_port = free_port(min(ports[API] + _LAMBDA_PORT_OFFSET, 65_535), exclude=reserved_ports)

        running = services.launch(
            config.services,
            self._state.folder,
            preferred_ports=True,
            exclude=reserved_ports | {lambda_port},
            report=report,
        )
        parts.callback(running.close)
        self._units.extend(running)
        values = self._values(running, ports, lambda_port)
        processes = [
            ProjectProcess(process, ports.get(process.name), values, self._state, config.root)
            for process in config.processes
        ]
        self._make_steps = lambda: [ProjectStep(step, values, self._state, config.root) for step in config.steps]
        steps = self._make_steps()
        for step in steps:
            step.spawn()
            parts.callback(step.close)

        # Concurrent; an error in the template is reported before anything waits for the services.
        async with _all_or_none() as group:
            stack = await asyncio.to_thread(self._load_stack, config, values)
            group.create_task(self._start_project(running, steps, processes, parts))
            emulator = await self._start_emulator(config, stack, values, lambda_port, parts)
            bootstrap = running.kafka if "kafka" in config.services else None
            triggers = self._make_triggers(stack, emulator, bootstrap, values.get("aws.url"))
        urls: dict[str, Any] = {
            "api": values["api.url"],
            **{process.name: process.url for process in processes if process.port},
            **{service.name: service.url for service in running},
            "lambda": emulator.invoke_url,
        }
        if bootstrap:
            urls["kafka"] = bootstrap
        urls["admin"] = await self._start_admin(emulator, parts)
        self._triggers = await parts.enter_async_context(triggers)
        for last in config.after:
            await self._run(ProjectStep(last, values, self._state, config.root))
        self._state.write_urls(urls)

    def _make_triggers(
        self, stack: Stack, emulator: "Emulator", bootstrap: Sequence[str] | None, aws_url: str | None
    ) -> "Triggers":
        from emulator.triggers.running import Triggers

        return Triggers(stack, emulator.invoke_url, bootstrap, aws_url, activity=emulator.activity)

    async def _start_project(
        self,
        running: services.Running,
        steps: Sequence[ProjectStep],
        processes: Sequence[ProjectProcess],
        parts: AsyncExitStack,
    ) -> None:
        await asyncio.to_thread(services.await_ready, running, self._report)
        # Not earlier: they would compete with the services for processors, and most steps wait for a service.
        for process in processes:
            self._report(Step(process.name, "begun"))
            process.spawn()
            parts.callback(_stop, process)
            self._units.append(process)
        for step in steps:
            await self._run(step)
        await self._await_processes(processes)

    def _load_stack(self, config: Config, values: Mapping[str, str]) -> Stack:
        from emulator import template

        parameters = fill_all({**config.parameters, **self._options.parameters}, values)
        cache = self._state.folder / "templates"
        return template.load(config.template, parameters, region=config.region, cache=cache)

    def _values(self, running: services.Running, ports: Mapping[str, int], lambda_port: int) -> dict[str, str]:
        """The values of the placeholders of emulator.toml."""
        values = {
            "project": str(self._options.root),
            "state": str(self._state.folder),
            "api.url": f"http://{HOST}:{ports[API]}",
            "lambda.url": f"http://{HOST}:{lambda_port}",
        }
        for name, port in ports.items():
            if name != API:
                values |= {f"{name}.url": f"http://{HOST}:{port}", f"{name}.port": str(port)}
        for service in running:
            values[f"{service.name}.url"] = service.url
            parts = urlsplit(service.url if "://" in service.url else f"//{service.url.split(',')[0]}")
            values[f"{service.name}.host"] = parts.hostname or HOST
            values[f"{service.name}.port"] = str(parts.port or service.preferred_port)
            if service.name == "postgres":
                values["postgres.database"] = parts.path.removeprefix("/")
            if service.name == "kafka":
                values["kafka.bootstrap"] = service.url
        return values

    async def _run(self, step: ProjectStep) -> None:
        self._report(Step(step.name, "begun"))
        await step.run()
        self._report(Step(step.name, "done"))

    async def _await_processes(self, processes: Sequence[ProjectProcess]) -> None:
        for process in processes:
            await asyncio.to_thread(process.wait_ready)
            self._report(Step(process.name, "done", process.url))

    async def _start_emulator(
        self, config: Config, stack: Stack, values: Mapping[str, str], lambda_port: int, parts: AsyncExitStack
    ) -> "Emulator":
        from emulator.emulator import Emulator, Settings
        from emulator.function_log import FunctionLog

        report = self._report
        report(Step("functions", "begun"))
        for name in self._options.debug:
            if name not in stack.functions:
                raise StackError(f"--debug {name}: the template has no such function")
        log = FunctionLog(self._state.function_log)
        parts.callback(log.close)
        settings = Settings(
            state=self._state.folder / "functions",
            gateway_port=urlsplit(values["api.url"]).port or config.port,
            invoke_port=lambda_port,
            environment=fill_all(config.environment, values),
            log=log.write,
            debug=self._options.debug,
            fork=self._options.fork,
            preload=config.preload,
            http=self._options.http,
        )
        emulator = await Emulator.start(stack, settings)
        parts.push_async_callback(emulator.close)
        report(Step("functions", "done", f"{len(stack.functions)} at {values['api.url']}"))
        return emulator

    async def _on_restart(self, unit: Unit) -> None:
        # Services that keep their data in memory are empty now.
        if unit.name == "kafka" and self._triggers:
            await self._triggers.forget_offsets()
        if unit.name == "aws":
            for step in self._make_steps():
                step.spawn()
                await step.run()

    async def _start_admin(self, emulator: "Emulator", parts: AsyncExitStack) -> str:
        from emulator import admin

        return await parts.enter_async_context(admin.serve(lambda: self._status(emulator)))

    def _status(self, emulator: "Emulator") -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "since": self._since.isoformat(),
            "changed": self._changed(),
            "units": [
                {
                    "name": unit.name,
                    "kind": "service" if isinstance(unit, Service) else "process",
                    "pid": unit.child.pid if unit.child else None,
                    "running": unit.child is None or unit.child.exit_code is None,
                    "url": unit.url,
                    "restarts": unit.restarts,
                }
                for unit in self._units
            ],
            "functions": {name: asdict(stats) for name, stats in emulator.runtime.stats().items()},
            "limits": asdict(emulator.runtime.limit_stats()),
            **(self._triggers.status() if self._triggers else {"sources": [], "schedules": []}),
        }

    def _changed(self) -> bool:
        """Whether the template or emulator.toml changed since the start: functions reload, these do not."""
        config = configuration.of(self._options)
        files = (config.template, self._options.root / configuration.FILE)
        return any(file.exists() and file.stat().st_mtime > self._since.timestamp() for file in files)


@contextlib.asynccontextmanager
async def _all_or_none() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose first failure is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _stop(process: ProjectProcess) -> None:
    if process.child:
        process.child.stop()
