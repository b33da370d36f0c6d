"""The documentation: links and anchors resolve, pages that code names exist, and the indexes are complete."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
NAMED = re.compile(r"(?<![\w/.-])docs/(?:[\w-]+/)*[\w-]+\.md\b")
SOURCES = {".lua", ".md", ".py", ".sql", ".toml", ".yaml", ".yml"}


def files(folder: Path = ROOT) -> Iterator[Path]:
    """The project's text files, without environments, builds and caches."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__pycache__")) or path.is_symlink():
            continue
        if path.is_dir():
            yield from files(path)
        elif path.suffix in SOURCES or path.name == "Makefile":
            yield path


PAGES = [path for path in files() if path.suffix == ".md"]


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


@cache
def anchors(page: Path) -> frozenset[str]:
    found: set[str] = set()
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", text, re.MULTILINE):
        anchor, repeat = slug(heading), 0
        while (f"{anchor}-{repeat}" if repeat else anchor) in found:
            repeat += 1
        found.add(f"{anchor}-{repeat}" if repeat else anchor)
    return frozenset(found | set(re.findall(r'<a (?:id|name)="([^"]+)"', text)))


def broken_links(page: Path) -> list[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for target in [*LINK.findall(CODE.sub("code", text)), *REFERENCE.findall(text)]:
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    return broken


def test_every_relative_link_and_anchor_resolves() -> None:
    assert len(PAGES) > 20
    broken = {str(page.relative_to(ROOT)): broken_links(page) for page in PAGES}
    assert {page: links for page, links in broken.items() if links} == {}


def test_broken_links_and_anchors_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text(
        "# The relay (`functions/relay`), again\n\n```\n# no heading\n```\n", encoding="utf-8"
    )
    page = tmp_path / "page.md"
    good = (
        "[a](other.md#the-relay-functionsrelay-again) ![b](other.md) [c](https://example.com/none.md) `[d](none.md)`\n"
    )
    bad = "[a](none.md) [b](other.md#no-heading) [c](#nowhere)\n\n[d]: removed.md\n"
    page.write_text(f"{good}{bad}\n```\n[e](none.md)\n```\n", encoding="utf-8")
    assert broken_links(page) == ["none.md", "other.md#no-heading", "#nowhere", "removed.md"]


def test_every_page_that_a_file_names_exists() -> None:
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files()
        for name in NAMED.findall(path.read_text(encoding="utf-8", errors="replace"))
        if not (ROOT / name).exists()
    ]
    assert missing == []


def test_every_page_is_in_the_index() -> None:
    """A reader finds each page from docs/README.md, and each decision record from its table, under its own title."""
    docs = ROOT / "docs"
    index = (docs / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in docs.glob("*.md") if page.name != "README.md" and f"({page.name}" not in index] == []
    records = sorted(path for path in (docs / "adr").glob("*.md") if path.name != "README.md")
    table = (docs / "adr" / "README.md").read_text(encoding="utf-8")
    titles = [record.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for record in records]
    rows = [
        f"{number}. {title}"
        for number, title in re.findall(r"^\| \[(\d{4})\]\([^)]+\) \| ([^|]+?) \|", table, re.MULTILINE)
    ]
    assert rows == titles
    assert [f"({record.name})" for record in records] == re.findall(r"\(\d{4}-[\w-]+\.md\)", table)
    assert len({record.name[:4] for record in records}) == len(records)  # branches reserve numbers, so some are unused
