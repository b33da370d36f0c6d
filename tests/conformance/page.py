"""docs/conformance.md, written from pytest's reports."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

Row = tuple[str, int, str]  # file of tests, line, and the docstring: what AWS documents, and where

AREAS = {  # file of tests -> heading, in the order of the page
    "test_proxy_events": "Proxy event and answer",
    "test_authorizers": "Lambda authorizer",
    "test_gateway": "REST API gateway",
    "test_invocations": "Lambda Invoke API",
    "test_environments": "Execution environment",
    "test_triggers": "Triggers",
}
_LAMBDA = "https://docs.aws.amazon.com/lambda/latest"
_GATEWAY = "https://docs.aws.amazon.com/apigateway/latest/developerguide"
SOURCES = {
    "proxy": f"{_GATEWAY}/set-up-lambda-proxy-integrations.html",
    "context": f"{_GATEWAY}/api-gateway-mapping-template-reference.html",
    "known issues": f"{_GATEWAY}/api-gateway-known-issues.html",
    # Not documented; captured from live APIs, in the words of a pull request.
    "live captures": "https://github.com/middleapi/standard-server/pull/93",
    "binary": f"{_GATEWAY}/api-gateway-payload-encodings.html",
    "authorizer": f"{_GATEWAY}/apigateway-use-lambda-authorizer.html",
    "authorizer output": f"{_GATEWAY}/api-gateway-lambda-authorizer-output.html",
    "gateway responses": f"{_GATEWAY}/supported-gateway-response-types.html",
    "response mapping": f"{_GATEWAY}/api-gateway-gatewayResponse-definition.html",
    "errors": f"{_GATEWAY}/handle-errors-in-lambda-integration.html",
    "quotas": f"{_GATEWAY}/limits.html",
    "timeout": f"{_GATEWAY}/api-gateway-execution-service-limits-table.html",
    "cors": f"{_GATEWAY}/how-to-cors.html",
    "compression": f"{_GATEWAY}/api-gateway-gzip-compression-decompression.html",
    "throttling": f"{_GATEWAY}/api-gateway-request-throttling.html",
    "invoke": f"{_LAMBDA}/api/API_Invoke.html",
    "lambda quotas": f"{_LAMBDA}/dg/gettingstarted-limits.html",
    "runtime api": f"{_LAMBDA}/dg/runtimes-api.html",
    "lifecycle": f"{_LAMBDA}/dg/lambda-runtime-environment.html",
    "async": f"{_LAMBDA}/dg/invocation-async-error-handling.html",
    "concurrency": f"{_LAMBDA}/dg/configuration-concurrency.html",
    "environment": f"{_LAMBDA}/dg/configuration-envvars.html",
    "python context": f"{_LAMBDA}/dg/python-context.html",
    "python errors": f"{_LAMBDA}/dg/python-exceptions.html",
    "layers": f"{_LAMBDA}/dg/packaging-layers.html",
    "memory": f"{_LAMBDA}/dg/configuration-memory.html",
    "kafka": f"{_LAMBDA}/dg/with-kafka.html",
    "scheduler": "https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html",
}
_INTRODUCTION = """\
# Conformance

To see where a local emulator departs from AWS, read the rows: what AWS documents, and what each emulator
answers to the same requests of `tools/conformance/template.yaml`. The standard is AWS's documentation; no
AWS account was used. `make conformance` writes this page: do not edit it.

✓ answers as documented, ✗ answers differently (with the answer), – does not have the feature, by its own
documentation.
`sam local` runs with `--warm-containers EAGER`, MiniStack after `sam deploy` with its default settings,
functions as local processes.
"""
_MARKS = {"passed": "✓", "xpassed": "✓", "failed": "✗", "xfailed": "✗", "error": "✗", "skipped": "–"}
_LONGEST = 170  # characters of an answer


def source_of(statement: str) -> str:
    """`authorizer output` in `a Deny is a 403 ([authorizer output])`. Raises KeyError if it is not in SOURCES."""
    source = statement.rpartition(" ([")[2].removesuffix("])")
    SOURCES[source]
    return source


def cells(stats: Mapping[str, Sequence[Any]]) -> dict[Row, dict[str, str]]:
    """Row -> emulator -> cell, of pytest's reports by outcome."""
    rows: dict[Row, dict[str, str]] = {}
    for outcome, mark in _MARKS.items():
        for report in stats.get(outcome, ()):
            for statement, emulator in (value for name, value in report.user_properties if name == "behaviour"):
                file, line, _ = report.location
                row = rows.setdefault((PurePath(file).stem, line, statement), {})
                row[emulator] = _failure(report.longrepr.reprcrash.message) if mark == "✗" else mark
    return rows


def render(rows: Mapping[Row, Mapping[str, str]], titles: Mapping[str, str]) -> str:
    """The whole page. `titles` has the emulators' names for the head of the table."""
    lines = [_INTRODUCTION, "| | ✓ | ✗ | – |", "|---|---:|---:|---:|"]
    for emulator, title in titles.items():
        counts = (sum(row.get(emulator, "").startswith(mark) for row in rows.values()) for mark in "✓✗–")
        lines.append(f"| {title} | {' | '.join(map(str, counts))} |")
    for file, area in AREAS.items():
        in_area = [(statement, row) for (of, _, statement), row in sorted(rows.items()) if of == file]
        if in_area:
            lines += ["", f"## {area}", "", f"| AWS documents | {' | '.join(titles.values())} |"]
            lines.append("|---|" + "---|" * len(titles))
            for statement, row in in_area:
                lines.append(f"| {' | '.join([_escape(statement), *(row.get(name, '') for name in titles)])} |")
    lines += ["", *(f"[{name}]: {SOURCES[name]}" for name in sorted({source_of(row[2]) for row in rows}))]
    return "\n".join(lines) + "\n"


def _failure(message: str) -> str:
    """Cell for an exception's type and text; of a failed assertion, the text says what the emulator answered."""
    answer = message.partition("\n")[0].removeprefix("AssertionError: ")
    if "CannotStart: " in answer:
        return f"did not start: {_escape(answer.partition('CannotStart: ')[2])}"
    return f"✗ {_escape(answer if len(answer) <= _LONGEST else answer[: _LONGEST - 1] + '…')}"


def _escape(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
