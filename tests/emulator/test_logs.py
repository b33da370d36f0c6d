"""How the functions' log is shown."""

import json
from datetime import UTC, datetime
from pathlib import Path

from emulator.function_log import FunctionLog, LogLine, read
from emulator.log_view import Entries, Entry, select

AT = datetime(2026, 3, 1, tzinfo=UTC)
TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in handler\nshop.Odd: why'


def line(message: str, request: str = "r1", function: str = "Buy", **extra: str) -> LogLine:
    return LogLine(AT, function, request, "INFO" if extra else "", message, extra, raw=f"{message} {extra}")


def shown(*lines: LogLine) -> list[Entry]:
    entries = Entries()
    return [entry for one in lines if (entry := entries.entry_for(one))]


def test_a_trace_has_all_lines_of_the_invocations_that_mention_it() -> None:
    lines = [
        line("begun", trace_id="t1"),
        line("[ERROR] Odd: why"),
        line("other", request="r2"),
        line("sent", request="r3", function="Notify", trace_id="t1"),
    ]

    assert [one.message for one in select(lines, trace="t1")] == ["begun", "[ERROR] Odd: why", "sent"]
    assert [one.message for one in select(lines, trace="t1", function="Notify")] == ["sent"]
    assert [one.message for one in select(lines, trace="r2")] == ["other"]


def test_an_exception_has_its_trace_beside_it_and_its_traceback_below() -> None:
    begun, failed = shown(line("begun", trace_id="t1"), line(f"[ERROR] Odd: why\n{TRACEBACK}"))

    assert begun.below == ()
    assert (failed.line.level, failed.line.message, failed.trace) == ("ERROR", "Odd: why", "t1")
    assert failed.below == tuple(TRACEBACK.splitlines())


def test_an_exception_without_a_trace_id_has_its_request_id() -> None:
    (failed,) = shown(line("[ERROR] Odd: why"))

    assert failed.trace == "r1"


def test_a_traceback_that_the_logger_wrote_is_not_shown_again_for_the_runtime() -> None:
    entries = shown(
        line("it failed", exception=TRACEBACK, trace_id="t1"),
        line("[ERROR] Odd: why"),
        line("Traceback (most recent call last):"),
        line('  File "a.py", line 1, in handler'),
        line("next"),
        line("[ERROR] Odd: another"),
    )

    assert [entry.line.message for entry in entries] == ["it failed", "next", "Odd: another"]
    assert entries[0].below == tuple(TRACEBACK.splitlines())
    assert "exception" not in entries[0].line.extra


def test_the_output_of_a_function_is_read_back_unchanged(tmp_path: Path) -> None:
    log = FunctionLog(tmp_path / "functions.log")
    log.write("Buy", "r1", "plain")
    log.write("Buy", "r1", json.dumps({"level": "ERROR", "message": "no", "trace_id": "t1", "location": "a:1"}))
    log.close()

    plain, sent = read(tmp_path / "functions.log")

    assert (plain.message, plain.level) == ("plain", "")
    assert (sent.message, sent.level, sent.extra) == ("no", "ERROR", {"trace_id": "t1"})


def test_metrics_are_not_shown_to_readers(tmp_path: Path) -> None:
    log = FunctionLog(tmp_path / "log")
    metrics = {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "N", "Metrics": [{"Name": "Sold"}]}]}
    log.write("Buy", "r1", json.dumps({"_aws": metrics, "Sold": 1}))
    log.write("Buy", "r1", json.dumps({"_aws": metrics, "Sold": 1, "message": "bought", "seat": "A-1-1"}))
    log.close()

    (bought,) = shown(*read(tmp_path / "log"))

    assert (bought.line.message, bought.line.extra) == ("bought", {"seat": "A-1-1"})
