"""Our own emulator, started as `python -m emulator up` starts it."""

from pathlib import Path
from urllib.parse import urlsplit

from emulator import lifecycle
from emulator.options import Options
from emulator.ports import free_port
from emulator.progress import silent
from emulator.stack import StackError
from emulator.state import State
from tools.conformance.emulator_client import Address, EmulatorClient
from tools.conformance.run_setup import HOST, CannotStart, RunSetup


class Ours:
    """`emulator/`."""

    title = "ours"

    def __init__(self, *, fork: bool = True, http: bool = False) -> None:
        self._state: Path | None = None
        self._fork, self._http = fork, http

    def start(self, setup: RunSetup) -> EmulatorClient:
        self._state = setup.folder / "ours"
        options = Options(
            root=setup.project,
            state=self._state,
            port=free_port(),
            parameters=setup.parameters(HOST),
            fork=self._fork,
            http=self._http,
        )
        try:
            urls = lifecycle.up(options, silent)
        except StackError as error:
            raise CannotStart(str(error)) from None
        return EmulatorClient("ours", _address(urls["api"]), _address(urls["lambda"]), setup.recorder)

    def stop(self) -> None:
        if self._state is not None:
            lifecycle.stop(State(self._state))


def _address(url: str) -> Address:
    parts = urlsplit(url)
    return Address(parts.hostname or HOST, parts.port or 80)
