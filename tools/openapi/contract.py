"""Reads the tables of docs/api.md. A row names one or more operations and their responses."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tools.handlers import ROOT

PATH = ROOT / "docs" / "api.md"


@dataclass(frozen=True)
class Row:
    section: str  # its heading
    operations: tuple[tuple[str, str], ...]  # method and path
    access: str  # U, A or a dash
    responses: str  # the text of all cells about responses


def contract() -> Iterator[Row]:
    section = ""
    for line in PATH.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ")
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and re.match(r"(GET|POST|PUT|DELETE)\b", cells[0]):
            yield Row(section, tuple(_operations(cells[0])), cells[1], " ".join(cells[3:]))


def shape(path: str) -> str:
    """The path without its variables' names: `/venues/{}`."""
    return re.sub(r"{\w+}", "{}", path)


def section_of(path: str) -> str | None:
    """The section with most rows of paths with the same first part, if there are any."""
    first = path.split("/")[1]
    near = Counter(
        row.section for row in contract() for _, other in row.operations if other.split("/")[1] == first
    ).most_common(1)
    return near[0][0] if near else None


def _operations(cell: str) -> Iterator[tuple[str, str]]:
    """`POST, PUT /venues/{id?}`: a POST to /venues and a PUT to /venues/{id}."""
    methods: list[str] = []
    fresh = True
    for word in cell.replace(",", " ").split():
        if word.startswith("/"):
            path = re.sub(r"\?\w+[=?]?.*$", "", word)
            for method in methods:
                whole = path if method != "POST" else re.sub(r"/{\w+\?}$", "", path)
                yield method, whole.replace("?}", "}")
            fresh = True
        else:
            methods = [word] if fresh else [*methods, word]
            fresh = False
