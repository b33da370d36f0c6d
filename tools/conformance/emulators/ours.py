"""Our own emulator, started as `python -m emulator up` starts it."""

from pathlib import Path
from urllib.parse import urlsplit

from emulator import lifecycle
from emulator.options import Options
from emulator.ports import free_port
from emulator.progress import silent
from emulator.stack import StackError
from emulator.state import State
from tools.conformance.ground import HOST, CannotStart, Ground
from tools.conformance.stand import Address, Stand


class Ours:
    """`emulator/`."""

    title = "ours"

    def __init__(self, *, fork: bool = True, http: bool = False) -> None:
        self._state: Path | None = None
        self._fork, self._http = fork, http

    def start(self, ground: Ground) -> Stand:
        self._state = ground.folder / "ours"
        options = Options(
            root=ground.project,
            state=self._state,
            port=free_port(),
            parameters=ground.parameters(HOST),
            fork=self._fork,
            http=self._http,
        )
        try:
            urls = lifecycle.up(options, silent)
        except StackError as error:
            raise CannotStart(str(error)) from None
        return Stand("ours", _address(urls["api"]), _address(urls["lambda"]), ground.witness)

    def stop(self) -> None:
        if self._state is not None:
            lifecycle.stop(State(self._state))


def _address(url: str) -> Address:
    parts = urlsplit(url)
    return Address(parts.hostname or HOST, parts.port or 80)
