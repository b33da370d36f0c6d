"""The list of faults (`faults.toml`), and planting one in a copy of the code."""

import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("faults.toml")


class DoesNotApply(Exception):
    """The text that the fault replaces does not occur exactly once."""


@dataclass(frozen=True)
class Edit:
    """One replacement: `text` must occur exactly once in `file`."""

    file: str
    text: str
    becomes: str


@dataclass(frozen=True)
class Fault:
    """A possible mistake. `edits` are variants of it for different code: the first that applies is planted."""

    name: str
    kind: str
    wrong: str  # what would go wrong, in one sentence
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]  # paths expected to notice it; missing ones are skipped

    def edit_for(self, root: Path) -> Edit:
        """The edit that applies to the checkout at `root`. Raises DoesNotApply."""
        for edit in self.edits:
            path = root / edit.file
            if path.is_file() and path.read_text(encoding="utf-8").count(edit.text) == 1:
                return edit
        raise DoesNotApply(f"{self.name}: no text to replace occurs exactly once in {self.edits[0].file}")


@dataclass(frozen=True)
class Catalogue:
    faults: tuple[Fault, ...]
    wider: dict[str, tuple[str, ...]]  # prefix of a file's path -> globs of tests

    def wider_tests(self, file: str) -> tuple[str, ...]:
        """The globs of further tests for a fault in `file`."""
        found = [globs for beginning, globs in self.wider.items() if file.startswith(beginning)]
        return tuple(dict.fromkeys(glob for globs in found for glob in globs))


def load(path: Path = LIST) -> Catalogue:
    """Raises KeyError if a fault has a missing field."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return Catalogue(
        faults=tuple(_fault(table) for table in document["fault"]),
        wider={beginning: tuple(globs) for beginning, globs in document["wider"].items()},
    )


def _fault(table: dict[str, object]) -> Fault:
    variants = [table, *_tables(table.get("or", ()))]
    edits = tuple(Edit(str(each["file"]), str(each["text"]), str(each["becomes"])) for each in variants)
    tests = table["tests"]
    assert isinstance(tests, list)  # noqa: S101  narrows the type
    return Fault(str(table["name"]), str(table["kind"]), str(table["wrong"]), edits, tuple(map(str, tests)))


def _tables(value: object) -> Sequence[dict[str, object]]:
    return value if isinstance(value, list) else ()


@contextmanager
def planted(edit: Edit, root: Path) -> Iterator[None]:
    """The checkout at `root` has this fault in the block; afterwards it is restored."""
    path = root / edit.file
    original = path.read_text(encoding="utf-8")
    path.write_text(original.replace(edit.text, edit.becomes), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(original, encoding="utf-8")
