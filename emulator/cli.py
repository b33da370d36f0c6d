"""`python -m emulator`: up, down, status, logs, invoke, reset."""

import http.client
import json
import shutil
import sys
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

import typer

from emulator import config as configuration
from emulator import function_log, lifecycle, screen
from emulator.options import Options, parse_parameters, parse_ports
from emulator.stack import StackError
from emulator.state import State

app = typer.Typer(
    help="Runs this project's SAM template, and everything around it, on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Folder = Annotated[Path, typer.Option("--state", help="Where the stack keeps its data, logs and pids.")]
Project = Annotated[Path, typer.Option("--project", help="The folder of emulator.toml.")]
_LOCAL, _HERE = Path(".local"), Path()


@app.command()
def up(
    state: Folder = _LOCAL,
    project: Project = _HERE,
    port: Annotated[int | None, typer.Option(help="The API's port.")] = None,
    process_port: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PORT", help="The port of one of the project's processes.")
    ] = None,
    parameter_overrides: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE ...", help="Template parameters, as `sam deploy` takes them."),
    ] = None,
    foreground: Annotated[bool, typer.Option(help="Stay, show the functions' logs, stop on Ctrl-C.")] = False,
) -> None:
    """Starts everything and returns when the API answers."""
    options = Options(
        root=project.absolute(),
        state=state.absolute(),
        port=port,
        process_ports=parse_ports(process_port or []),
        parameters=parse_parameters(parameter_overrides or []),
    )
    here = State(options.state)
    if urls := lifecycle.running(here):
        print(f"already running at {urls['api']} (`status` shows it, `down` stops it)")
        return
    with screen.progress() as report:
        urls = lifecycle.up(options, report, attached=foreground)
    print(f"\nready at {urls['api']}")
    text = configuration.load(options.root).next
    if text:
        print("\n" + configuration.fill(text, _flat(urls, options)))
    if foreground:
        try:
            for line in function_log.read(here.function_log, follow=lambda: here.holder() is not None):
                screen.show_line(line)
        finally:
            lifecycle.stop(here)


@app.command()
def down(state: Folder = _LOCAL) -> None:
    """Stops everything; the data stays."""
    print("stopped" if lifecycle.stop(State(state)) else "nothing was running")


@app.command()
def reset(state: Folder = _LOCAL) -> None:
    """Stops everything and forgets all data."""
    here = State(state)
    lifecycle.stop(here)
    if here.is_ours():
        shutil.rmtree(here.folder)
    print("stopped, and all data is gone")


@app.command()
def status(
    state: Folder = _LOCAL, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Shows what runs: services, functions, Kafka lag, schedules."""
    urls = _urls(State(state))
    answer = json.loads(_request("GET", f"{urls['admin']}/status").body)
    if as_json:
        print(json.dumps(answer, indent=2))
    else:
        screen.show_status(answer, urls)


@app.command()
def logs(
    state: Folder = _LOCAL,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep showing what comes.")] = False,
    function: Annotated[str | None, typer.Option(help="Only this function's.")] = None,
    trace: Annotated[str | None, typer.Option(help="Only lines that mention this trace or request id.")] = None,
) -> None:
    """Shows what the functions logged."""
    here = State(state)
    for line in function_log.read(here.function_log, follow=(lambda: True) if follow else None):
        if (function is None or line.function == function) and (trace is None or line.mentions(trace)):
            screen.show_line(line)


@app.command()
def invoke(
    name: Annotated[str, typer.Argument(help="The function's logical id.")],
    event: Annotated[Path | None, typer.Option("--event", "-e", help="A JSON file; - is standard input.")] = None,
    state: Folder = _LOCAL,
) -> None:
    """Invokes a function once and prints its answer."""
    urls = _urls(State(state))
    payload = b"{}" if event is None else sys.stdin.buffer.read() if str(event) == "-" else event.read_bytes()
    answer = _request("POST", f"{urls['lambda']}/2015-03-31/functions/{name}/invocations", payload)
    if answer.status >= 300:
        raise StackError(f"{name}: {answer.body}")
    print(answer.body)
    if answer.failed:
        raise typer.Exit(1)


def main() -> int:
    """The command line; one line for what is wrong, and exit code 1."""
    sys.argv[1:] = _join_overrides(sys.argv[1:])
    try:
        app()
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _join_overrides(words: list[str]) -> list[str]:
    """SAM's flag takes several words: `--parameter-overrides A=1 B=2`. Click's take one, so the flag is repeated."""
    joined: list[str] = []
    flag = "--parameter-overrides"
    within = False
    for word in words:
        if within and joined[-1] != flag and not word.startswith("-") and "=" in word:
            joined.append(flag)
        elif word.startswith("-"):
            within = word == flag
        joined.append(word)
    return joined


class _Answer(NamedTuple):
    status: int
    failed: bool  # the function did
    body: str


def _request(method: str, url: str, body: bytes | None = None) -> _Answer:
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port)
    try:
        connection.request(method, where.path, body)
        response = connection.getresponse()
        failed = response.getheader("X-Amz-Function-Error") is not None
        return _Answer(response.status, failed, response.read().decode(errors="replace"))
    except OSError as error:
        raise StackError(f"{url} does not answer: {error}") from error
    finally:
        connection.close()


def _urls(state: State) -> dict[str, object]:
    urls = lifecycle.running(state)
    if urls is None:
        raise StackError("nothing is running here: start it with `up`")
    return urls


def _flat(urls: dict[str, object], options: Options) -> dict[str, str]:
    values = {f"{name}.url": ",".join(url) if isinstance(url, list) else str(url) for name, url in urls.items()}
    return {**values, "state": str(options.state), "project": str(options.root)}
