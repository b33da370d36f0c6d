"""The search that finds nothing would find something."""

import json
from pathlib import Path

from tests.support.undeclared_errors import undeclared_errors


def test_an_undeclared_refusal_is_found_with_its_route(tmp_path: Path) -> None:
    said = [
        {"message": "undeclared error", "trace_id": "1", "code": "EVENT_ENDED", "status": 409},
        {"message": "request", "trace_id": "1", "route": "POST /events/{id}/cancel"},
        {"message": "request", "trace_id": "2", "route": "GET /events"},
    ]
    lines = [json.dumps({"function": "F", "line": json.dumps(each)}) for each in said]
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "functions.log").write_text("\n".join([*lines, "START route", "not JSON"]), encoding="utf-8")
    assert undeclared_errors(tmp_path) == ["POST /events/{id}/cancel 409 EVENT_ENDED"]
