"""The search for undeclared errors finds one that is in a log."""

import json
from pathlib import Path

from tests.support.undeclared_errors import undeclared_errors


def test_an_undeclared_error_is_found_with_its_route(tmp_path: Path) -> None:
    records = [
        {"message": "undeclared error", "trace_id": "1", "code": "EVENT_ENDED", "status": 409},
        {"message": "request", "trace_id": "1", "route": "POST /events/{id}/cancel"},
        {"message": "request", "trace_id": "2", "route": "GET /events"},
    ]
    lines = [json.dumps({"function": "F", "line": json.dumps(each)}) for each in records]
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "functions.log").write_text("\n".join([*lines, "START route", "not JSON"]), encoding="utf-8")
    assert undeclared_errors(tmp_path) == ["POST /events/{id}/cancel 409 EVENT_ENDED"]
