"""The table, as docs/conformance.md."""

from collections.abc import Mapping, Sequence

from tools.conformance.behaviour import SOURCES, Behaviour
from tools.conformance.suite import Outcome

_MARKS = {"as AWS": "✓", "differs": "✗", "not offered": "–"}

Column = tuple[str, Mapping[str, Outcome] | str]  # title, outcomes by behaviour or why there are none


def render(behaviours: Sequence[Behaviour], columns: Sequence[Column]) -> str:
    """The whole page."""
    lines = [
        "# Conformance",
        "",
        "To see where a local emulator departs from AWS, read the rows: what AWS documents, and what each emulator",
        "answers to the same requests of `tools/conformance/template.yaml`. The standard is AWS's documentation; no",
        "AWS account was used. `make conformance` writes this page: do not edit it.",
        "",
        "✓ answers as documented, ✗ answers differently (with the answer), – does not have the feature, by its own",
        "documentation.",
        "`sam local` runs with `--warm-containers EAGER`, MiniStack after `sam deploy` with its default settings,",
        "functions as local processes.",
        "",
        *_summary(behaviours, columns),
    ]
    for area in dict.fromkeys(one.area for one in behaviours):
        rows = [one for one in behaviours if one.area == area]
        lines += ["", f"## {area}", "", f"| AWS documents | {' | '.join(title for title, _ in columns)} |"]
        lines.append("|---|" + "---|" * len(columns))
        lines += [_row(one, columns) for one in rows]
    lines += ["", *(f"[{name}]: {SOURCES[name]}" for name in sorted({one.doc for one in behaviours}))]
    return "\n".join(lines) + "\n"


def _summary(behaviours: Sequence[Behaviour], columns: Sequence[Column]) -> list[str]:
    lines = ["| | ✓ | ✗ | – |", "|---|---:|---:|---:|"]
    failures = []
    for title, outcomes in columns:
        if isinstance(outcomes, str):
            lines.append(f"| {title} | | | |")
            failures += ["", f"{title} did not start: {outcomes}"]
        else:
            verdicts = [outcomes[one.name].verdict for one in behaviours]
            counts = [str(verdicts.count(verdict)) for verdict in ("as AWS", "differs", "not offered")]
            lines.append(f"| {title} | {' | '.join(counts)} |")
    return lines + failures


def _row(one: Behaviour, columns: Sequence[Column]) -> str:
    cells = [f"{_cell(one.statement)} ([{one.doc}])"]
    for _, outcomes in columns:
        if isinstance(outcomes, str):
            cells.append("did not start")
        else:
            outcome = outcomes[one.name]
            answered = f" {_cell(outcome.answered)}" if outcome.answered else ""
            cells.append(_MARKS[outcome.verdict] + answered)
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
