"""A stack on free ports, deleted after use."""

import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.demo.buyer import ApiError, Buyer

COLD_TRIES = 3
ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """A port that is free now. Unlike the emulator's, it is not reserved: the stack to be started takes it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _warm(stack: dict[str, Any]) -> None:
    """Register a first buyer. On a busy machine, its cold starts may exceed the gateway's and functions' timeouts."""
    for _ in range(COLD_TRIES):
        buyer = Buyer(stack["api"], stack["sandbox"])
        try:
            buyer.register()
            buyer.login()
        except ApiError as error:
            if error.status < 500:
                raise
        else:
            return


@contextmanager
def throwaway_stack(**parameters: str) -> Iterator[dict[str, Any]]:
    """The URLs of everything that runs and, as `state`, its folder. `parameters` override the template's.

    Raises CalledProcessError if it does not start.
    """
    with tempfile.TemporaryDirectory() as state:
        place = ["--state", state]
        up = ["--port", str(free_port()), "--process-port", f"sandbox={free_port()}"]
        if parameters:
            up += ["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())]
        emulator = [sys.executable, "-m", "emulator"]
        try:
            subprocess.run([*emulator, "up", *place, *up], cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=300)
            stack = {**json.loads((Path(state) / "stack.json").read_text(encoding="utf-8")), "state": state}
            _warm(stack)
            yield stack
        finally:
            subprocess.run([*emulator, "down", *place], cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=60)
