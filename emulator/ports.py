"""Which TCP ports of this machine are free, and who has those that are not."""

import random
import socket

from emulator.stack import StackError

HOST = "127.0.0.1"

# Below Linux's ephemeral range: what is free here cannot be taken by an outgoing connection before we listen on it.
_FREE = range(20_000, 30_000)


def is_free(port: int) -> bool:
    """Whether we could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port(preferred: int | None = None, *, besides: frozenset[int] = frozenset()) -> int:
    """`preferred` if it is free, else any free port; never one of `besides`, which are promised to others."""
    if preferred and preferred not in besides and is_free(preferred):
        return preferred
    for port in random.sample(_FREE, len(_FREE)):
        if port not in besides and is_free(port):
            return port
    raise StackError(f"no free port between {_FREE.start} and {_FREE.stop}")


def require_free(port: int, wanted_by: str, flag: str) -> None:
    """Raises StackError, naming the process that listens on `port` where the system tells."""
    if is_free(port):
        return
    owner = _owner(port)
    by = f" by {owner}" if owner else ""
    raise StackError(f"port {port}, wanted by {wanted_by}, is taken{by}: stop that, or choose another with {flag}")


def _owner(port: int) -> str | None:
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass  # other people's processes are not always ours to see
    return None
