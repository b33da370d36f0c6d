"""`python -m emulator`: up, down, status, logs, invoke, triggers, reset."""

import http.client
import json
import shutil
import signal
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from threading import Timer
from types import FrameType
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

import typer

from emulator import config as configuration
from emulator import function_log, lifecycle, screen
from emulator.log_view import Entries, select
from emulator.options import Options, parse_parameters, parse_ports
from emulator.stack import StackError
from emulator.state import State

app = typer.Typer(
    help="""Runs a SAM template, and everything around it, on this machine: no Docker, no AWS account.

    \b
    A project with an emulator.toml (services, processes, seed data beside the template):
      up                                                start all of it
      up --parameter-overrides HoldSeconds=5            with other template parameters
      up --state .second --port 3100                    a second stack beside the first
      status                                            what is running: functions, lag, schedules
      logs -f --function Greet                          one function's log, live
      logs --trace 1-5f84-33ab                          everything that one request logged
      invoke Greet -e events/greet.json                 one call
      down                                              stop all of it; the data stays

    \b
    Any other SAM project:
      up --template ../shop/template.yaml --port 3100
      up --template ../shop/template.yaml --services redis,kafka --parameter-overrides 'RedisUrl=${redis.url}'

    \b
    Kafka and schedules for functions that run elsewhere:
      triggers --lambda-url http://127.0.0.1:3001 --kafka 127.0.0.1:9092
    """,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Folder = Annotated[Path, typer.Option("--state", help="Where the stack keeps its data, logs and pids.")]
Project = Annotated[Path, typer.Option("--project", help="The folder of emulator.toml.")]
Template = Annotated[Path | None, typer.Option("--template", help="A SAM template to run without an emulator.toml.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE ...",
        help="Template parameters, as for `sam deploy`; placeholders such as ${redis.url} are replaced.",
    ),
]
_LOCAL, _HERE = Path(".local"), Path()
_NOTICE_AFTER = 2  # seconds; then `invoke` prints that the function still runs


@app.command()
def up(
    state: Annotated[
        Path | None,
        typer.Option("--state", help="Where the stack keeps its data, logs and pids; .local, beside a --template."),
    ] = None,
    project: Project = _HERE,
    template: Template = None,
    services: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Start only these: postgres, redis, kafka, aws.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="The API's port.", min=1, max=65_535)] = None,
    process_port: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PORT", help="The port of one of the project's processes.")
    ] = None,
    parameter_overrides: Overrides = None,
    debug: Annotated[
        list[str] | None,
        typer.Option(metavar="FUNCTION:PORT", help="Lets a debugger attach to one function at this port."),
    ] = None,
    fork: Annotated[
        bool,
        typer.Option("--fork/--no-fork", help="Fork functions from a process that has their packages loaded."),
    ] = True,
    http_runtime_api: Annotated[
        bool, typer.Option("--http-runtime-api", help="Deliver events over HTTP, as Lambda does; disables forking.")
    ] = False,
    foreground: Annotated[bool, typer.Option(help="Keep running, show the functions' logs, stop on Ctrl-C.")] = False,
) -> None:
    """Starts everything and returns when the API answers."""
    folder = state or (template.parent / _LOCAL if template else _LOCAL)
    options = Options(
        root=project.absolute(),
        state=folder.absolute(),
        port=port,
        process_ports=parse_ports(process_port or []),
        parameters=parse_parameters(parameter_overrides or []),
        template=str(template.absolute()) if template else None,
        services=_names(services, template),
        debug=parse_ports(debug or [], "--debug", ":"),
        fork=fork,
        http=http_runtime_api,
    )
    here = State(options.state)
    if urls := lifecycle.running(here):
        elsewhere = port is not None and not urls["api"].endswith(f":{port}")
        if parameter_overrides or debug or elsewhere:  # the running stack would not have them
            raise StackError(f"already running at {urls['api']}: run `down` first to start it with other settings")
        print(f"already running at {urls['api']} (`status` shows it, `down` stops it)")
        if json.loads(_request("GET", f"{urls['admin']}/status").body)["changed"]:
            print(screen.CHANGED)
        return
    with screen.progress() as report:
        urls = lifecycle.up(options, report, attached=foreground)
    print(f"\nready at {urls['api']}")
    if template:
        print(f"functions at {urls['lambda']}; `status`, `logs` and `down` with --state {folder}")
    text = configuration.of(options).next
    if text and (folder == _LOCAL or project != _HERE):  # its hints are about the stack in the default folder
        print("\n" + configuration.fill(text, _flat(urls, options)))
    if foreground:
        try:
            _show(function_log.read(here.function_log, follow=lambda: here.holder() is not None))
        finally:
            lifecycle.stop(here)


@app.command()
def down(state: Folder = _LOCAL) -> None:
    """Stops everything; the data stays."""
    print("stopped" if lifecycle.stop(State(state)) else "nothing was running")


@app.command()
def reset(state: Folder = _LOCAL) -> None:
    """Stops everything and deletes all data."""
    here = State(state)
    lifecycle.stop(here)
    if here.is_ours():
        shutil.rmtree(here.folder)
    print("stopped, and all data is deleted")


@app.command()
def status(
    state: Folder = _LOCAL, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Shows what is running: services, functions, Kafka lag, schedules."""
    urls = _urls(State(state))
    response = json.loads(_request("GET", f"{urls['admin']}/status").body)
    if as_json:
        print(json.dumps(response, indent=2))
    else:
        screen.show_status(response, urls)


@app.command()
def logs(
    state: Folder = _LOCAL,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep showing new lines.")] = False,
    function: Annotated[str | None, typer.Option(help="Only this function's.")] = None,
    trace: Annotated[str | None, typer.Option(help="Only lines of this trace id or request id.")] = None,
) -> None:
    """Shows what the functions logged."""
    if function is not None:
        _require_function(function, State(state))
    lines = function_log.read(State(state).function_log, follow=(lambda: True) if follow else None)
    if not _show(select(lines, function, trace)) and (function or trace):
        print(f"nothing was logged by {function or 'any function'}{f' for {trace}' if trace else ''}", file=sys.stderr)


@app.command()
def invoke(
    name: Annotated[str, typer.Argument(help="The function's logical id.")],
    event: Annotated[
        Path | None, typer.Option("--event", "-e", help="A JSON file, or its name in events/; - is stdin.")
    ] = None,
    state: Folder = _LOCAL,
) -> None:
    """Invokes a function once and prints its response."""
    urls = _urls(State(state))
    payload = _payload(event)
    notice = Timer(_NOTICE_AFTER, lambda: print(f"{name} still runs; `logs -f` shows what it logs", file=sys.stderr))
    notice.daemon = True  # it must not keep the process running after Ctrl-C
    notice.start()
    try:
        response = _request("POST", f"{urls['lambda']}/2015-03-31/functions/{name}/invocations", payload)
    finally:
        notice.cancel()
    if response.status == 404:
        _require_function(name, State(state))
    if response.status >= 300:
        raise StackError(f"{name}: {_message(response.body)}")
    print(response.body)
    if response.failed:
        raise typer.Exit(1)


@app.command()
def triggers(
    lambda_url: Annotated[str, typer.Option(help="Any Lambda Invoke endpoint, such as `sam local start-lambda`.")],
    project: Project = _HERE,
    template: Template = None,
    kafka: Annotated[
        str | None, typer.Option(metavar="HOST:PORT,...", help="The brokers of the event sources.")
    ] = None,
    aws: Annotated[
        str | None, typer.Option(metavar="URL", help="The AWS endpoint of SQS destinations and --stack.")
    ] = None,
    stack: Annotated[
        str | None, typer.Option(metavar="NAME", help="The CloudFormation stack that named the functions, if one did.")
    ] = None,
    parameter_overrides: Overrides = None,
) -> None:
    """Calls another emulator's functions for Kafka records and schedules, until Ctrl-C."""
    from emulator.triggers.command import run

    options = Options(
        root=project.absolute(),
        state=_LOCAL.absolute(),
        parameters=parse_parameters(parameter_overrides or []),
        template=str(template.absolute()) if template else None,
    )
    run(options, lambda_url, kafka.split(",") if kafka else None, aws, stack)


def main() -> int:
    """The command line. An error is one line and exit code 1."""
    signal.signal(signal.SIGTERM, _exit_on_signal)  # clean up as on Ctrl-C: `up` leaves nothing half started
    sys.argv[1:] = _join_overrides(sys.argv[1:])
    try:
        app()
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a state folder that cannot be written, a file that cannot be read
        print(f"error: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _exit_on_signal(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _join_overrides(arguments: list[str]) -> list[str]:
    """SAM's flag takes several arguments: `--parameter-overrides A=1 B=2`. Click's takes one: the flag is repeated."""
    joined: list[str] = []
    flag = "--parameter-overrides"
    within = False
    for argument in arguments:
        if within and joined[-1] != flag and not argument.startswith("-") and "=" in argument:
            joined.append(flag)
        elif argument.startswith("-"):
            within = argument == flag
        joined.append(argument)
    return joined


class _HttpResponse(NamedTuple):
    status: int
    failed: bool  # whether the function failed
    body: str


def _request(method: str, url: str, body: bytes | None = None) -> _HttpResponse:
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port)
    try:
        connection.request(method, where.path, body)
        response = connection.getresponse()
        failed = response.getheader("X-Amz-Function-Error") is not None
        return _HttpResponse(response.status, failed, response.read().decode(errors="replace"))
    except OSError as error:
        raise StackError(f"{url} does not answer: {error}") from error
    finally:
        connection.close()


def _payload(event: Path | None) -> bytes:
    if event is None:
        return b"{}"
    if str(event) == "-":
        return sys.stdin.buffer.read()
    for path in (event, Path("events") / event, Path("events") / f"{event}.json"):
        if path.is_file():
            return path.read_bytes()
    known = sorted(path.stem for path in Path("events").glob("*.json"))
    similar = get_close_matches(event.stem, known) or known[:5]
    raise StackError(f"{event}: there is no such file" + (f"; events/ has {', '.join(similar)}" if similar else ""))


def _require_function(name: str, state: State) -> None:
    """Raises StackError, with the most similar names, if the running stack has no such function."""
    urls = lifecycle.running(state)
    if urls is None:
        return  # the log of a stopped stack
    known = list(json.loads(_request("GET", f"{urls['admin']}/status").body)["functions"])
    if name not in known:
        similar = get_close_matches(name, known, cutoff=0.4)
        raise StackError(
            f"there is no function {name}"
            + (f"; did you mean {', '.join(similar)}?" if similar else "; `status` lists the functions")
        )


def _message(body: str) -> str:
    """The message of an error from Lambda's Invoke API."""
    try:
        return str({key.lower(): value for key, value in json.loads(body).items()}["message"])
    except (ValueError, KeyError, AttributeError):
        return body


def _names(services: str | None, template: Path | None) -> list[str] | None:
    if services is None:
        return [] if template else None
    return [name.strip() for name in services.split(",") if name.strip()]


def _show(lines: Iterable[function_log.LogLine]) -> int:
    """Prints the entries and returns how many there were."""
    entries, shown = Entries(), 0
    for line in lines:
        if entry := entries.entry_for(line):
            screen.show_entry(entry)
            shown += 1
    return shown


def _urls(state: State) -> dict[str, object]:
    urls = lifecycle.running(state)
    if urls is None:
        raise StackError("nothing is running here: start it with `up`")
    return urls


def _flat(urls: dict[str, object], options: Options) -> dict[str, str]:
    values = {f"{name}.url": ",".join(url) if isinstance(url, list) else str(url) for name, url in urls.items()}
    return {**values, "state": str(options.state), "project": str(options.root)}
