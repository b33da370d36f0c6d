"""Lambda's data plane: keeps environments for every function; one handles one event at a time."""

import asyncio
import os
import secrets
import sys
import time
import uuid
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from emulator.environment import (
    Environment,
    InitFailed,
    InitTimeout,
    Invocation,
    InvocationOutcome,
    LaunchSettings,
    LogSink,
    NotDelivered,
    process_variables,
    timeout_document,
)
from emulator.fork_server import ForkServers
from emulator.memory_watch import MemoryWatch, available_memory
from emulator.scratch_folders import ScratchFolders
from emulator.source_watch import SourceWatch
from emulator.stack import Function, StackError

MAX_REQUEST = 6_291_556  # bytes, as for responses
_CPUS = os.cpu_count() or 1


def no_log(function: str, request_id: str, line: str) -> None:
    """Drops the line."""


def _environments_by_memory() -> int:
    """How many fit into half of the free memory; a forked one takes about 40 MB of its own."""
    return max(32, min(512, available_memory() // 2 // (40 * 1024**2)))


@dataclass(frozen=True)
class Limits:
    """How much of the machine the functions may use. Times are in seconds."""

    environments: int = field(default_factory=_environments_by_memory)  # processes over all functions
    per_function: int = max(4, 3 * _CPUS)  # without reserved concurrency; further calls queue
    recently_used: float = 3.0  # an environment idle for less time is not ended for another function …
    patience: float = 1.0  # … unless that one has waited this long
    queue: float = 10.0  # how long a call may wait for an environment before it is throttled
    init: float = 10.0
    snapshot: float = 130.0  # init of a function with SnapStart, unless its own timeout is longer
    restore: float = 10.0  # the hooks after a restore
    idle: float = 300.0  # then an unused environment ends


class FunctionNotFound(Exception):
    """No function has this name."""


class Throttled(Exception):
    """No environment is available for the call. `reason` is as in Lambda's TooManyRequestsException."""

    def __init__(self, reason: str) -> None:
        super().__init__("Rate Exceeded.")
        self.reason = reason


class PayloadTooLarge(Exception):
    """The event is over Lambda's limit."""


@dataclass(frozen=True)
class InvokeResult:
    """The result of a synchronous Invoke."""

    payload: bytes
    error: str | None  # "Unhandled" if the payload is an error document
    request_id: str
    log_tail: bytes = b""  # the last 4 KB the function logged; only if requested


@dataclass(frozen=True)
class FunctionStats:
    """Counts of one function since the start; the first two are current."""

    environments: int
    in_flight: int
    invocations: int
    errors: int
    throttles: int
    cold_starts: int
    busy_seconds: float  # the duration of invocations that ended
    waits: int  # calls that had to wait for an environment
    limit: int  # of environments
    pids: tuple[int, ...]  # of its environments; the command line of a forked process does not show its function


@dataclass(frozen=True)
class LimitStats:
    """How close the functions are to the limit on all environments."""

    environments: int
    limit: int
    waiting: int  # calls waiting for an environment now
    evictions: int  # environments ended for another function, since the start


@dataclass(frozen=True)
class _Waiting:
    since: float
    environment: "asyncio.Future[Environment]"


@dataclass
class _Pool:
    function: Function
    limit: int
    environments: set[Environment] = field(default_factory=set)
    idle: list[Environment] = field(default_factory=list)  # the most recently used last
    scratch: list[Path] = field(default_factory=list)  # of environments that failed: reused by the next ones
    queue: deque[_Waiting] = field(default_factory=deque)
    waits: int = 0
    in_flight: int = 0
    invocations: int = 0
    errors: int = 0
    throttles: int = 0
    cold_starts: int = 0
    busy_seconds: float = 0.0


class Runtime:
    """Invokes the functions of a stack."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        *,
        state: Path,
        environment: Mapping[str, str] | None = None,
        log: LogSink = no_log,
        limits: Limits | None = None,
        interpreter: str = sys.executable,
        debug: Mapping[str, int] | None = None,
        fork: bool = True,
        http: bool = False,
        preload: Sequence[str] = (),
    ) -> None:
        """`state` is the runtime's own folder. `environment` overrides the functions' own variables.

        Processes are forked from a server that has their packages loaded, unless `fork` is False; it loads the modules
        `preload` first, then what functions have imported before. Events and responses use a socket, or with `http`
        the HTTP Runtime API, as on Lambda; then processes are not forked.

        Each function in `debug` waits at its start for a debugger on its port; it has one environment, and no time or
        memory limit. Raises StackError for a function that does not exist.
        """
        self._limits = limits or Limits()
        self._debug = debug or {}
        unknown = sorted(set(self._debug) - set(functions))
        if unknown:
            raise StackError(f"{unknown[0]} cannot be debugged: the template has no such function")
        self._watch = SourceWatch()
        self._forks = ForkServers(interpreter, state, self._watch, functions.values(), preload) if fork else None
        self._launch = LaunchSettings(
            interpreter,
            state,
            environment if environment is not None else {},
            log,
            MemoryWatch(asyncio.get_running_loop()),
            self._limits.restore,
            self._debug,
            self._forks,
            http,
        )
        self._scratch = ScratchFolders(state / "tmp")
        self._pools: dict[str, _Pool] = {}
        self._by_name: dict[str, str] = {}
        for name, function in functions.items():
            reserved = function.reserved_concurrency
            limit = self._limits.per_function if reserved is None else reserved
            self._pools[name] = _Pool(function, min(limit, 1) if name in self._debug else limit)
            self._by_name[function.deployed_name or name] = name
        self._by_name.update({name: name for name in functions})
        self._ending: set[Environment] = set()  # killed, but the process has not ended yet
        self._count = 0  # live environments of all pools
        self._evictions = 0
        self._closed = False
        self._reaper: asyncio.Task[None] | None = None
        (state / "home").mkdir(parents=True, exist_ok=True)

    def import_packages(self) -> None:
        """Starts the fork server for the layers of most functions, before the first call needs it."""
        if self._forks is None or self._launch.http or not self._pools:
            return
        layers, _ = Counter(pool.function.layers for pool in self._pools.values()).most_common(1)[0]
        function = next(pool.function for pool in self._pools.values() if pool.function.layers == layers)
        scratch = self._launch.state / "tmp"
        self._forks.start_early(function, process_variables(function, self._launch, 0, scratch))

    def function(self, name: str) -> Function:
        """The function of this logical id or deployed name; raises FunctionNotFound."""
        if name not in self._by_name:
            raise FunctionNotFound(name)
        return self._pools[self._by_name[name]].function

    def debugs(self, name: str) -> bool:
        """Whether a debugger may pause the function, so that it has no time limit."""
        return name in self._debug

    def stats(self) -> dict[str, FunctionStats]:
        """Counts by logical id."""
        return {
            name: FunctionStats(
                environments=len(pool.environments),
                in_flight=pool.in_flight,
                invocations=pool.invocations,
                errors=pool.errors,
                throttles=pool.throttles,
                cold_starts=pool.cold_starts,
                busy_seconds=pool.busy_seconds,
                waits=pool.waits,
                limit=pool.limit,
                pids=tuple(one.pid for one in pool.environments if one.pid is not None),
            )
            for name, pool in self._pools.items()
        }

    def limit_stats(self) -> LimitStats:
        """Counts over all functions."""
        waiting = sum(not one.environment.done() for pool in self._pools.values() for one in pool.queue)
        return LimitStats(self._count, self._limits.environments, waiting, self._evictions)

    async def invoke(
        self,
        name: str,
        payload: bytes,
        *,
        client_context: str | None = None,
        trace_id: str | None = None,
        request_id: str | None = None,
        want_log: bool = False,
        qualifier: str | None = None,
    ) -> InvokeResult:
        """Runs the function once with `payload`, a JSON document, and waits for the result.

        A function's failure is a result with `error` set. Raises FunctionNotFound, Throttled or PayloadTooLarge if it
        was not run.
        """
        if len(payload) > MAX_REQUEST:
            raise PayloadTooLarge(f"a payload of {len(payload)} bytes is over the limit of {MAX_REQUEST}")
        pool = self._pools[self.function(name).name]
        reserved = pool.function.reserved_concurrency
        if reserved is not None and pool.in_flight >= reserved:
            pool.throttles += 1
            raise Throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        invocation = Invocation(
            payload=payload,
            request_id=request_id or str(uuid.uuid4()),
            trace_id=trace_id or new_trace_id(),
            client_context=client_context,
            outcome=asyncio.get_running_loop().create_future(),
            qualifier=qualifier,
        )
        pool.in_flight += 1
        try:
            outcome, log = await self._run(pool, invocation, want_log)
        finally:
            pool.in_flight -= 1
        pool.invocations += 1
        pool.errors += outcome.failed
        return InvokeResult(outcome.payload, "Unhandled" if outcome.failed else None, invocation.request_id, log)

    async def close(self) -> None:
        """Rejects new calls and kills every environment."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
            with suppress(asyncio.CancelledError):
                await self._reaper
        for pool in self._pools.values():
            for waiting in pool.queue:
                if not waiting.environment.done():
                    waiting.environment.set_exception(Throttled("CallerRateLimitExceeded"))
            for environment in list(pool.environments):
                environment.kill()
        if self._ending:
            await asyncio.wait([environment.ended for environment in self._ending], timeout=5)
        if self._forks is not None:
            self._forks.close()
        self._scratch.close()

    async def _run(self, pool: _Pool, invocation: Invocation, want_log: bool) -> tuple[InvocationOutcome, bytes]:
        init_timeout, retried_init = self._limits.init, False
        if pool.function.snap_start:  # on AWS this ran at deployment and is not retried
            init_timeout, retried_init = max(self._limits.snapshot, pool.function.timeout), True
        while True:
            environment = await self._acquire(pool)
            try:
                if not environment.started:
                    pool.cold_starts += 1
                    await environment.start(invocation.request_id, init_timeout)
                began = time.monotonic()
                outcome = await environment.invoke(invocation, pool.function.timeout)
                pool.busy_seconds += time.monotonic() - began
            except NotDelivered:
                invocation.outcome = asyncio.get_running_loop().create_future()
                continue
            except InitFailed as failure:
                return InvocationOutcome(failure.document, failed=True), environment.tail
            except InitTimeout:
                if retried_init:
                    return InvocationOutcome(
                        timeout_document(invocation.request_id, init_timeout), failed=True
                    ), environment.tail
                # As Lambda does: retry once, as part of the invocation and with the function's own timeout.
                init_timeout, retried_init = pool.function.timeout, True
                continue
            finally:
                if environment.alive and not environment.started:
                    environment.kill()
            log = b""
            if want_log:
                # The function's output is in the pipe before its response is in the socket: one more round of the event
                # loop reads it.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                log = _log_result(invocation, environment, time.monotonic() - began)
            self._release(pool, environment)
            return outcome, log

    # Assigns environments to calls. The pools are changed without awaiting, so no lock is needed.

    async def _acquire(self, pool: _Pool) -> Environment:
        if self._closed:
            raise Throttled("CallerRateLimitExceeded")
        if self._reaper is None:
            self._reaper = asyncio.create_task(self._reap())
        if not pool.queue:
            environment = self._take(pool, waited=0)
            if environment is not None:
                return environment
        waiting = _Waiting(time.monotonic(), asyncio.get_running_loop().create_future())
        pool.queue.append(waiting)
        pool.waits += 1
        timer = asyncio.get_running_loop().call_later(self._limits.patience, self._serve_queues)
        try:
            async with asyncio.timeout(self._limits.queue):
                return await waiting.environment
        except BaseException as error:
            given = waiting.environment
            if given.done() and not given.cancelled() and given.exception() is None:
                self._release(pool, given.result())  # it was given just when the wait ended
            given.cancel()
            if isinstance(error, TimeoutError):
                pool.throttles += 1
                raise Throttled("ConcurrentInvocationLimitExceeded") from None
            raise
        finally:
            timer.cancel()

    def _take(self, pool: _Pool, waited: float) -> Environment | None:
        """A warm environment, a new one not yet started, or None if the limits allow neither.

        `waited` is how many seconds the call has waited.
        """
        if pool.idle:
            signature = self._watch.signature(pool.function)
            while pool.idle:
                environment = pool.idle.pop()
                if environment.signature == signature and environment.can_take_event():
                    return environment
                environment.kill()
        if len(pool.environments) >= pool.limit or pool.limit == 0:
            return None
        if self._count >= self._limits.environments and not self._evict(waited):
            return None
        scratch = pool.scratch.pop() if pool.scratch else self._scratch.new()
        environment = Environment(pool.function, self._launch, self._on_environment_end, scratch)
        environment.signature = self._watch.signature(pool.function)
        pool.environments.add(environment)
        self._count += 1
        return environment

    def _evict(self, waited: float) -> bool:
        """Ends the environment that has been idle longest, of any function, unless it was just used.

        Otherwise two functions called alternately would keep ending each other's environments.
        """
        oldest = min(
            (pool.idle[0] for pool in self._pools.values() if pool.idle), key=lambda idle: idle.idle_since, default=None
        )
        if oldest is None:
            return False
        if time.monotonic() - oldest.idle_since < self._limits.recently_used and waited < self._limits.patience:
            return False
        self._evictions += 1
        self._pools[oldest.function.name].idle.remove(oldest)
        oldest.kill()
        return True

    def _release(self, pool: _Pool, environment: Environment) -> None:
        if not environment.started:
            environment.kill()
        elif environment.alive:
            environment.idle_since = time.monotonic()
            pool.idle.append(environment)
        self._serve_queues()

    def _on_environment_end(self, environment: Environment) -> None:
        pool = self._pools[environment.function.name]
        if environment in pool.environments:
            pool.environments.discard(environment)
            self._count -= 1
            if environment.failed:
                pool.scratch.append(environment.scratch)
            else:
                environment.ended.add_done_callback(lambda _: self._scratch.drop(environment.scratch))
        if not environment.ended.done():
            self._ending.add(environment)
            environment.ended.add_done_callback(lambda _: self._ending.discard(environment))
        if environment in pool.idle:
            pool.idle.remove(environment)
        # Not at once: this may be the middle of _take or _evict.
        asyncio.get_running_loop().call_soon(self._serve_queues)

    def _serve_queues(self) -> None:
        """Gives free environments to waiting calls, the longest wait first."""
        served = True
        while served and not self._closed:
            served = False
            now = time.monotonic()
            for pool in sorted(self._waiting_pools(), key=lambda pool: pool.queue[0].since):
                environment = self._take(pool, now - pool.queue[0].since)
                if environment is not None:
                    pool.queue.popleft().environment.set_result(environment)
                    served = True
                    break  # another function's call may have waited longer than this function's next one

    def _waiting_pools(self) -> list[_Pool]:
        for pool in self._pools.values():
            while pool.queue and pool.queue[0].environment.done():
                pool.queue.popleft()
        return [pool for pool in self._pools.values() if pool.queue]

    async def _reap(self) -> None:
        pause = max(0.05, min(5.0, self._limits.idle / 4))
        while True:
            await asyncio.sleep(pause)
            too_old = time.monotonic() - self._limits.idle
            for pool in self._pools.values():
                if pool.function.name in self._debug:
                    continue
                for environment in [idle for idle in pool.idle if idle.idle_since < too_old]:
                    environment.kill()


def _log_result(invocation: Invocation, environment: Environment, seconds: float) -> bytes:
    """The last 4 KB of what CloudWatch would show for one invocation."""
    function, tail = environment.function, environment.tail
    name, ms = f"RequestId: {invocation.request_id}", seconds * 1000
    report = f"Duration: {ms:.2f} ms\tBilled Duration: {int(ms) + 1} ms\tMemory Size: {function.memory_mb} MB"
    report += f"\tMax Memory Used: {environment.peak_memory} MB"
    start, end = f"START {name} Version: {function.version}\n", f"END {name}\nREPORT {name}\t{report}\n"
    return (start.encode() + tail + end.encode())[-4096:]


def new_trace_id() -> str:
    """An X-Ray trace header that says "not sampled"."""
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"
