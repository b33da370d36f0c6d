"""What the functions log: one file of JSON lines, written and parsed."""

import json
import logging.handlers
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_MAX_BYTES = 50_000_000  # then it is rotated to functions.log.1; a load test writes a lot

# Fields of Powertools' Logger that describe the log record, not its message.
_ENVELOPE = {
    "level", "location", "message", "timestamp", "service", "cold_start", "function_name", "function_memory_size",
    "function_arn", "function_request_id", "xray_trace_id", "sampling_rate",
}  # fmt: skip


METRICS = "METRICS"  # the level of a line with metrics only


@dataclass(frozen=True)
class LogLine:
    """One line that a function wrote."""

    at: datetime
    function: str
    request_id: str
    level: str
    message: str
    extra: dict[str, Any] = field(default_factory=dict)
    raw: str = ""

    def mentions(self, trace: str) -> bool:
        """Whether the line contains a trace id or belongs to a request id."""
        return trace in self.raw or trace == self.request_id


class FunctionLog:
    """Writes the log file."""

    def __init__(self, path: Path) -> None:
        self._file = logging.handlers.RotatingFileHandler(path, maxBytes=_MAX_BYTES, backupCount=1)

    def write(self, function: str, request_id: str, line: str) -> None:
        """Adds one line."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = json.dumps({"at": at, "function": function, "requestId": request_id, "line": line})
        self._file.emit(logging.LogRecord("function", logging.INFO, "", 0, entry, None, None))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read(path: Path, *, follow: Callable[[], bool] | None = None) -> Iterator[LogLine]:
    """Every line of the file; with `follow`, new lines too, until it returns False."""
    while not path.exists():
        if follow is None or not follow():
            return
        time.sleep(0.1)
    file = path.open()
    try:
        while True:
            for text in file:
                yield _parse(text)
            if follow is None or not follow():
                return
            time.sleep(0.1)
            if path.exists() and path.stat().st_ino != _inode(file.fileno()):  # it was rotated
                rest = list(file)
                file.close()
                file = path.open()
                yield from map(_parse, rest)
    finally:
        file.close()


def _inode(descriptor: int) -> int:
    import os

    return os.fstat(descriptor).st_ino


def _parse(text: str) -> LogLine:
    entry = json.loads(text)
    raw: str = entry["line"]
    at = datetime.fromisoformat(entry["at"])
    try:
        record = json.loads(raw)
    except ValueError:
        record = None
    if isinstance(record, dict) and "_aws" in record:
        record = _without_metrics(record)
        if "message" not in record:
            return LogLine(at, entry["function"], entry["requestId"], METRICS, "", raw=raw)
    if not isinstance(record, dict) or "message" not in record:
        return LogLine(at, entry["function"], entry["requestId"], "", raw, raw=raw)
    message = record["message"]
    return LogLine(
        at,
        entry["function"],
        entry["requestId"],
        str(record.get("level", "")),
        message if isinstance(message, str) else json.dumps(message, ensure_ascii=False),
        {key: value for key, value in record.items() if key not in _ENVELOPE},
        raw,
    )


def _without_metrics(record: dict[str, Any]) -> dict[str, Any]:
    """The record without its metrics (CloudWatch's embedded metric format)."""
    try:
        named = {metric["Name"] for group in record["_aws"]["CloudWatchMetrics"] for metric in group["Metrics"]}
    except (KeyError, TypeError):
        named = set()
    return {key: value for key, value in record.items() if key != "_aws" and key not in named}
