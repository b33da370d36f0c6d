"""Which TCP ports of this machine are free, and which process uses the others."""

import random
import socket
import sys

from emulator.stack import StackError

HOST = "127.0.0.1"

# Below Linux's ephemeral range: an outgoing connection cannot take a port before we listen on it.
_FREE = range(20_000, 30_000)


def is_free(port: int) -> bool:
    """Whether `port` can be listened on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT does not matter
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


_claims: dict[int, socket.socket] = {}


def _claim(port: int) -> bool:
    """Stops other emulators from choosing the port before we listen on it; the claim ends with this process.

    An abstract socket belongs to the network namespace, as ports do. Without it, two stacks that start at the same
    time can both find the default port of Postgres free, and the seed of one writes into the database of the other.
    """
    if sys.platform != "linux" or port in _claims:
        return True
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0emulator-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims[port] = claim
    return True


def release_claim(port: int) -> None:
    """Call it once the port is listened on: it no longer looks free."""
    claim = _claims.pop(port, None)
    if claim is not None:
        claim.close()


def free_port(preferred: int | None = None, *, exclude: frozenset[int] = frozenset()) -> int:
    """`preferred` if it is free, else any free port; never one of `exclude`."""
    for port in ((preferred,) if preferred else ()) + tuple(random.sample(_FREE, len(_FREE))):
        if port not in exclude and is_free(port) and _claim(port):
            return port
    raise StackError(f"no free port between {_FREE.start} and {_FREE.stop}")


def require_free(port: int, user: str, flag: str) -> None:
    """Raises StackError, naming the process that listens on `port` if the system reports it."""
    if is_free(port):
        return
    owner = _owner(port)
    by = f" by {owner}" if owner else ""
    raise StackError(f"port {port} of {user} is taken{by}: stop that process, or choose another port with {flag}")


def _owner(port: int) -> str | None:
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass  # processes of other users are not always visible
    return None
