"""The list of faults (`faults.toml`), and planting one in a copy of the code."""

import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("faults.toml")


class DoesNotApply(Exception):
    """The text that the fault replaces is not there exactly once."""


@dataclass(frozen=True)
class Edit:
    """One replacement: `text` must occur exactly once in `file`."""

    file: str
    text: str
    becomes: str


@dataclass(frozen=True)
class Fault:
    """A mistake that somebody could make. `edits` are spellings of the same one: the first that applies is planted."""

    name: str
    kind: str
    wrong: str  # what would go wrong, in one sentence
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]  # paths that are expected to notice; those that a checkout does not have are skipped

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
    wider: dict[str, tuple[str, ...]]  # beginning of a file's path -> globs of tests

    def wider_tests(self, file: str) -> tuple[str, ...]:
        """The globs for a fault in `file` that its named tests did not notice."""
        found = [globs for beginning, globs in self.wider.items() if file.startswith(beginning)]
        return tuple(dict.fromkeys(glob for globs in found for glob in globs))


def load(path: Path = LIST) -> Catalogue:
    """Raises KeyError for a fault that lacks a field."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return Catalogue(
        faults=tuple(_fault(table) for table in document["fault"]),
        wider={beginning: tuple(globs) for beginning, globs in document["wider"].items()},
    )


def _fault(table: dict[str, object]) -> Fault:
    spellings = [table, *_tables(table.get("or", ()))]
    edits = tuple(Edit(str(each["file"]), str(each["text"]), str(each["becomes"])) for each in spellings)
    tests = table["tests"]
    assert isinstance(tests, list)  # noqa: S101  narrows the type
    return Fault(str(table["name"]), str(table["kind"]), str(table["wrong"]), edits, tuple(map(str, tests)))


def _tables(value: object) -> Sequence[dict[str, object]]:
    return value if isinstance(value, list) else ()


@contextmanager
def planted(edit: Edit, root: Path) -> Iterator[None]:
    """The checkout at `root` with this fault in it; as it was afterwards."""
    path = root / edit.file
    sound = path.read_text(encoding="utf-8")
    path.write_text(sound.replace(edit.text, edit.becomes), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(sound, encoding="utf-8")
