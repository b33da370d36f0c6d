"""The functions' log as a person reads it: one entry a line, an exception's traceback below it, and only once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from emulator.function_log import METRICS, Line

_TRACE_KEYS = ("trace_id", "traceId", "correlation_id", "xray_trace_id")
_RUNTIME_ERROR = "[ERROR] "  # how AWS's runtime client begins what it says about an exception


@dataclass(frozen=True)
class Entry:
    """A line, and what belongs below it."""

    line: Line
    trace: str = ""  # trace id, or where none is known the request id; of errors only
    below: tuple[str, ...] = ()  # a traceback


def select(lines: Iterable[Line], function: str | None = None, trace: str | None = None) -> Iterator[Line]:
    """Only those of a function, or of a trace id or request id.

    A line without the trace id belongs to it too, where an earlier line of the same invocation had it.
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
    """Turns lines into entries. It remembers what it showed, so use one for a whole reading."""

    def __init__(self) -> None:
        self._traces: dict[str, str] = {}  # request id -> trace id
        self._shown: dict[str, str] = {}  # request id -> the last line of the traceback that was shown
        self._hidden: set[str] = set()  # request ids in the middle of a traceback that is not shown again

    def of(self, line: Line) -> Entry | None:
        """The entry for a line; None for one that repeats what was shown, or has metrics for CloudWatch only."""
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
    """`shop.errors.Odd: why` in a traceback is `Odd: why` to the runtime."""
    return last_line == message or last_line.endswith(f".{message}")
