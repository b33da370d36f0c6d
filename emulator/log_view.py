"""The functions' log for people: one entry per line, with an exception's traceback below it, shown once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from emulator.function_log import METRICS, LogLine

_TRACE_KEYS = ("trace_id", "traceId", "correlation_id", "xray_trace_id")
_RUNTIME_ERROR = "[ERROR] "  # the prefix with which AWS's runtime client logs an exception


@dataclass(frozen=True)
class Entry:
    """A line, and its traceback."""

    line: LogLine
    trace: str = ""  # of errors only: trace id, or request id if it is unknown
    below: tuple[str, ...] = ()  # a traceback


def select(lines: Iterable[LogLine], function: str | None = None, trace: str | None = None) -> Iterator[LogLine]:
    """Only those of a function, or of a trace id or request id.

    Lines without the trace id are included if an earlier line of the same invocation had it.
    """
    requests: set[str] = set()
    for line in lines:
        if function is not None and line.function != function:
            continue
        if trace is not None:
            if line.mentions(trace) and line.request_id:
                requests.add(line.request_id)
            if not (line.mentions(trace) or line.request_id in requests):
                continue
        yield line


class Entries:
    """Turns lines into entries. It remembers what it has shown: use one for the whole log."""

    def __init__(self) -> None:
        self._traces: dict[str, str] = {}  # request id -> trace id
        self._shown: dict[str, str] = {}  # request id -> the last line of the traceback that was shown
        self._hidden: set[str] = set()  # request ids whose repeated traceback is being skipped

    def entry_for(self, line: LogLine) -> Entry | None:
        """The entry for a line; None for a repetition, or a line with metrics only."""
        if line.level == METRICS:
            return None
        trace = next((str(line.extra[key]) for key in _TRACE_KEYS if line.extra.get(key)), "")
        if trace:
            self._remember(self._traces, line.request_id, trace)
        trace = trace or self._traces.get(line.request_id, line.request_id)
        exception = line.extra.get("exception")
        if isinstance(exception, str) and exception.startswith("Traceback"):
            below = tuple(exception.rstrip().splitlines())
            self._remember(self._shown, line.request_id, below[-1])
            extra = {key: value for key, value in line.extra.items() if key not in ("exception", "stack_trace")}
            return Entry(replace(line, extra=extra), trace, below)
        if line.message.startswith(_RUNTIME_ERROR):
            message, *rest = line.message.removeprefix(_RUNTIME_ERROR).replace("\r", "\n").rstrip().splitlines()
            self._hidden.discard(line.request_id)
            shown = self._shown.get(line.request_id, "")
            if shown and _same_error(shown, message):
                self._hidden.add(line.request_id)
                return None
            return Entry(replace(line, level="ERROR", message=message), trace, tuple(rest))
        if line.request_id in self._hidden:
            if not line.level and line.raw.startswith(("Traceback", "  ", "\t")):
                return None
            self._hidden.discard(line.request_id)
        return Entry(line)

    @staticmethod
    def _remember(memory: dict[str, str], request: str, value: str) -> None:
        memory[request] = value
        if len(memory) > 10_000:  # a log may be followed for days
            del memory[next(iter(memory))]


def _same_error(last_line: str, message: str) -> bool:
    """The runtime logs `Odd: why` where the traceback has `shop.errors.Odd: why`."""
    return last_line == message or last_line.endswith(f".{message}")
