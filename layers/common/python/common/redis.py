"""One Redis client a warm container, and Lua scripts kept as files."""

from collections.abc import Sequence
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from common.problem import means_store_away
from common.settings import Settings

means_store_away(redis.ConnectionError, redis.TimeoutError)

Client = redis.Redis


class RedisSettings(Settings):
    redis_url: str
    redis_cluster: bool = True  # ElastiCache Serverless speaks cluster mode only


def connect(url: str, *, cluster: bool) -> Client:
    """A client that fails within a second rather than hold a request, and reconnects on a dead connection."""
    retry = Retry(NoBackoff(), 1)
    if cluster:
        node: Any = redis.RedisCluster.from_url(url, decode_responses=True, socket_timeout=1, socket_connect_timeout=1)
        return cast(Client, node)
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=1, socket_connect_timeout=1, retry=retry)


@cache
def client() -> Client:
    settings = RedisSettings.from_environment()
    return connect(settings.redis_url, cluster=settings.redis_cluster)


class Script:
    """A Lua script from a file. Every file starts with `#!lua`, so that a key of another slot is an error."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text(encoding="utf-8")
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, on: Client, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """The script's result, in one round trip; EVAL when the server has not seen it (or has lost it)."""
        try:
            return on.evalsha(self.sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return on.eval(self.text, len(keys), *keys, *arguments)


def _aim(on: Client, key: str) -> dict[str, Any]:
    """The node to ask, said aloud: a cluster's pipeline would ask Redis for each script's keys, a round trip each."""
    return {"target_nodes": on.get_node_from_key(key)} if isinstance(on, redis.RedisCluster) else {}


def run_together(on: Client, calls: Sequence[tuple[Script, Sequence[str], Sequence[str | int]]]) -> list[Any]:
    """What each script answered, or the error it ended with, in one round trip: a cluster's nodes are asked at the same
    time. The scripts are not atomic together, and on a cluster they run in no order.
    """
    with on.pipeline(transaction=False) as pipeline:
        for script, keys, arguments in calls:
            command = ("EVALSHA", script.sha, len(keys), *keys, *arguments)
            pipeline.execute_command(*command, **_aim(on, keys[0]))  # type: ignore[no-untyped-call]
        results: list[Any] = pipeline.execute(raise_on_error=False)
    for i, result in enumerate(results):
        if isinstance(result, NoScriptError):
            script, keys, arguments = calls[i]
            try:
                results[i] = on.eval(script.text, len(keys), *keys, *arguments)
            except RedisError as error:
                results[i] = error
    return results


__all__ = ["Client", "RedisError", "Script", "client", "connect", "run_together"]
