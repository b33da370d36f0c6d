"""AWS APIs by moto: Secrets Manager, KMS, SQS, SES and the rest, in one process."""

import http.client
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from emulator.ports import HOST
from emulator.processes import python_environment
from emulator.services.service import Service


class Aws(Service):
    """A moto server. It keeps KMS keys across restarts, everything else in memory, and needs no credentials."""

    name = "aws"
    preferred_port = 14566
    address_variable = "EMULATOR_AWS_URL"

    @property
    def url(self) -> str:
        return self.address or f"http://{HOST}:{self.port}"

    def prepare(self, report: Callable[[str], None]) -> None:  # noqa: ARG002
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> Sequence[str]:
        keys = str(self.folder / "kms.json")
        return [sys.executable, "-m", "emulator.services.moto_server", keys, "-H", HOST, "-p", str(self.port)]

    def environment(self) -> Mapping[str, str]:
        return python_environment(os.environ, self.folder.parent / "bytecode")

    def is_ready(self) -> bool:
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or HOST, where.port, timeout=1)
        try:
            # An existing endpoint may not be moto: any HTTP response counts.
            connection.request("GET", "/" if self.address else "/moto-api/")
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
