"""A Redis client that raises StoreUnavailable, and Lua scripts kept as files."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from hashlib import sha1
from pathlib import Path
from typing import Any, Self, cast

import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.cluster import ClusterPipeline
from redis.exceptions import (
    ClusterError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    TryAgainError,
)
from redis.retry import Retry

from common.domain.shared_errors import StoreUnavailable

# What redis-py raises while Redis cannot serve us. A cluster of which no node answers is a RedisClusterException, which
# is no RedisError.
_UNAVAILABLE = (
    *(redis.ConnectionError, redis.TimeoutError, RedisClusterException, ClusterError),
    *(ReadOnlyError, OutOfMemoryError, TryAgainError),
)
# What code catches that can go on without Redis; a bug in a script is among it.
REDIS_FAILURES = (StoreUnavailable, RedisError)

Client = redis.Redis


class _Client:
    """A client that is made at its first use, and raises StoreUnavailable where redis-py has many errors.

    A cluster's client asks for the nodes when it is made: while Redis is unavailable, it is made anew at each use.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._made = cache(make)

    def __getattr__(self, name: str) -> Any:
        with _store_unavailable():
            attribute = getattr(self._made(), name)
        if callable(attribute):
            attribute = partial(_call, attribute)
        self.__dict__[name] = attribute  # the next use comes past this method
        return attribute


class _Pipeline(_Client):
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reset()


def _call(command: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    with _store_unavailable():
        result = command(*arguments, **options)
    return _Pipeline(lambda: result) if isinstance(result, (Pipeline, ClusterPipeline)) else result


@contextmanager
def _store_unavailable() -> Iterator[None]:
    try:
        yield
    except _UNAVAILABLE as error:
        raise StoreUnavailable(f"Redis: {error}") from error


def connect(url: str, *, cluster: bool) -> Client:
    """A client that fails within a second rather than hold a request, and reconnects if the connection was closed."""
    options: dict[str, Any] = {"decode_responses": True, "socket_timeout": 1, "socket_connect_timeout": 1}
    made: Callable[[], Any]
    if cluster:
        made = partial(redis.RedisCluster.from_url, url, **options)
    else:
        made = partial(redis.Redis.from_url, url, **options, retry=Retry(NoBackoff(), 1))
    return cast(Client, _Client(made))


class Script:
    """A Lua script from a file. Every file starts with `#!lua`, so that a key in another slot is an error."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text(encoding="utf-8")
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, on: Client, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """The script's result in one round trip; with EVAL if the server does not have the script."""
        try:
            return on.evalsha(self.sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return on.eval(self.text, len(keys), *keys, *arguments)


def _target(on: Client, key: str) -> dict[str, Any]:
    """The node that has `key`. Otherwise a cluster's pipeline asks Redis for each script's keys, one round trip
    each."""
    return {"target_nodes": on.get_node_from_key(key)} if hasattr(on, "get_node_from_key") else {}


def run_together(on: Client, calls: Sequence[tuple[Script, Sequence[str], Sequence[str | int]]]) -> list[Any]:
    """Each script's result or error, in one round trip; a cluster's nodes are asked at the same time. The scripts are
    not atomic together, and on a cluster they run in no fixed order.
    """
    with on.pipeline(transaction=False) as pipeline:
        for script, keys, arguments in calls:
            command = ("EVALSHA", script.sha, len(keys), *keys, *arguments)
            pipeline.execute_command(*command, **_target(on, keys[0]))  # type: ignore[no-untyped-call]
        results: list[Any] = pipeline.execute(raise_on_error=False)
    for i, result in enumerate(results):
        if isinstance(result, NoScriptError):
            script, keys, arguments = calls[i]
            try:
                results[i] = on.eval(script.text, len(keys), *keys, *arguments)
            except REDIS_FAILURES as error:
                results[i] = error
        elif isinstance(result, _UNAVAILABLE):
            results[i] = StoreUnavailable(f"Redis: {result}")
    return results


__all__ = ["REDIS_FAILURES", "Client", "Script", "connect", "run_together"]
