"""The ports that a stack cannot choose freely: the API's, and those of the project's processes."""

from collections.abc import Mapping

from emulator.config import Config
from emulator.options import Options
from emulator.ports import require_free
from emulator.stack import StackError

API = "the API"


def needed_ports(config: Config, options: Options) -> Mapping[str, int]:
    """The fixed ports: name of its user -> port. Raises StackError."""
    unknown = set(options.process_ports) - {process.name for process in config.processes}
    if unknown:
        raise StackError(f"--process-port: there is no process {', '.join(sorted(unknown))}")
    wanted = {process.name: options.process_ports.get(process.name, process.port) for process in config.processes}
    return {
        API: config.port if options.port is None else options.port,
        **{name: port for name, port in wanted.items() if port},
    }


def require_ports(ports: Mapping[str, int]) -> None:
    """Raises StackError for the first port that is taken."""
    for name, port in ports.items():
        require_free(port, name, "--port" if name == API else f"--process-port {name}=PORT")
