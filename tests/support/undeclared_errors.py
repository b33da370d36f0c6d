"""Errors in a run's log that no handler declared, so that the OpenAPI document does not have them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def undeclared_errors(state: Path) -> list[str]:
    """`POST /events/{id}/cancel 409 EVENT_ENDED`, each once, of the stack whose state folder this is."""
    errors = {}
    route_of = {}
    for entry in _entries(state / "logs" / "functions.log"):
        if entry.get("message") == "undeclared error":
            errors[entry["trace_id"]] = f"{entry['status']} {entry['code']}"
        elif entry.get("message") == "request":
            route_of[entry["trace_id"]] = entry["route"]
    return sorted({f"{route_of.get(trace_id, 'unknown route')} {error}" for trace_id, error in errors.items()})


def _entries(log: Path) -> Iterator[dict[str, Any]]:
    """The functions' own lines, out of the emulator's lines about them."""
    for line in log.read_text(encoding="utf-8").splitlines():
        if "undeclared error" in line or "route" in line:
            try:
                yield json.loads(json.loads(line)["line"])
            except (ValueError, KeyError):
                continue  # a traceback, or output of the runtime
