"""Output for people: progress while a stack starts, its status, the functions' log lines."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from emulator.log_view import Entry
from emulator.progress import Report, Step

_COLOURS = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow", "INFO": "green", "DEBUG": "blue"}


@contextmanager
def progress() -> Iterator[Report]:
    """Shows each step of a start: with a spinner on a terminal, else as plain lines."""
    begun: dict[str, float] = {}
    started = time.monotonic()

    def line(step: Step) -> str | None:
        seconds = time.monotonic() - begun.get(step.name, started)
        if step.state == "done":
            return f"{step.name:<12} {step.text or 'done'}  ({seconds:.1f} s)"
        return f"{step.name:<12} {step.text}" if step.state == "note" else None

    if not sys.stdout.isatty():

        def plain(step: Step) -> None:
            begun.setdefault(step.name, time.monotonic())
            if text := line(step):
                print(text, flush=True)

        yield plain
        return

    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    with console.status("starting") as spinner:

        def coloured(step: Step) -> None:
            begun.setdefault(step.name, time.monotonic())
            if text := line(step):
                mark = Text("✓ ", "green") if step.state == "done" else Text("… ", "dim")
                console.print(mark + Text(text))
            if step.state == "done":
                begun.pop(step.name)
            spinner.update("starting " + ", ".join(begun))

        yield coloured


CHANGED = "The template or emulator.toml changed since the start: run `down` and `up` to apply it."


def show_status(status: Mapping[str, Any], urls: Mapping[str, Any]) -> None:
    """Prints what is running, in tables."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    # A pipe has no width, and truncated names could not be searched.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(
        f"API {urls['api']}   Lambda {urls['lambda']}   emulator pid {status['pid']}, since {_second(status['since'])}"
    )
    if status["changed"]:
        console.print(CHANGED)

    def table(title: str, columns: str, rows: list[list[object]]) -> None:
        if rows:
            grid = Table(title=title, title_justify="left", box=None, pad_edge=False)
            for place, column in enumerate(columns.split(",")):
                grid.add_column(column, no_wrap=place == 0)
            for row in rows:
                grid.add_row(*(escape("-" if cell is None else str(cell)) for cell in row))
            console.print()
            console.print(grid)

    table(
        "Services and processes",
        "name,pid,at,state,restarts",
        [
            [one["name"], one["pid"], one["url"], "running" if one["running"] else "ended", one["restarts"]]
            for one in status["units"]
        ],
    )
    counts = ("environments", "limit", "in_flight", "invocations", "errors", "waits", "throttles", "cold_starts")
    called = {name: stats for name, stats in status["functions"].items() if stats["invocations"]}
    table(
        f"Functions ({len(status['functions'])}, of which called {len(called)})",
        "name,envs,of,busy,calls,errors,waited,throttled,cold",
        [[name, *(stats[count] for count in counts)] for name, stats in sorted(called.items())],
    )
    if text := _limits(status["limits"], called):
        console.print(text)
    table(
        "Kafka event sources",
        "function,topic,lag,failing,given up,filtered,trouble",
        [
            [one[key] for key in ("function", "topic", "lag", "failures", "discarded", "filtered", "trouble")]
            for one in status["sources"]
        ],
    )
    table(
        "Schedules",
        "function,expression,next,undelivered,trouble",
        [
            [one["function"], one["expression"], _second(one["next"]), one["undelivered"], one["trouble"]]
            for one in status["schedules"]
        ],
    )


def _limits(limits: Mapping[str, int], functions: Mapping[str, Mapping[str, int]]) -> str:
    """A note on the limits if calls had to wait for an environment."""
    waited = sum(stats["waits"] for stats in functions.values())
    if not waited:
        return ""
    text = f"{waited} calls had to wait for an environment, {limits['waiting']} wait now"
    text += f"; {limits['environments']} of {limits['limit']} environments run"
    if limits["evictions"]:
        text += f", {limits['evictions']} were ended for another function"
    return text


def _second(moment: str | None) -> str:
    """An ISO 8601 time to the second."""
    return moment[:19] + "Z" if moment else "-"


def show_entry(entry: Entry) -> None:
    """Prints one entry of the log: time, level, function, message, other fields, and a traceback below."""
    line = entry.line
    at: datetime = line.at.astimezone()
    head = f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"
    extra = " ".join(f"{name}={_readable(value)}" for name, value in line.extra.items())
    if entry.trace and entry.trace not in extra:
        extra = f"{extra} trace={entry.trace}".lstrip()
    if not sys.stdout.isatty():
        print(f"{head} {line.level:<8} {line.function} {line.message} {extra}".rstrip())
        for text in entry.below:
            print(f"    {text}")
        sys.stdout.flush()
        return
    from rich.console import Console
    from rich.text import Text

    level = Text(f"{line.level:<8} ", _COLOURS.get(line.level, ""))
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        Text.assemble((head, "dim"), " ", level, (line.function, "cyan"), " ", line.message, " ", (extra, "dim"))
    )
    for text in entry.below:
        console.print(Text(f"    {text}", "red"))


def _readable(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
