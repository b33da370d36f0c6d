"""Prints the size of what `make build` would deploy, and checks its content: `make sizes`.

Fails if Lambda would, or if a start would be slower than necessary: over 250 MB unzipped, a package that is not in the
layer's lock (boto3, which the runtime has, or one for development), tests, a large file that another function serves,
or a module without bytecode that Python loads unchecked. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

import importlib.util
import io
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / ".aws-sam" / "build"
LIMIT_MB = 250  # a function with its layers, unzipped
UNCHECKED_HASH = 0b01  # PEP 552: has a hash, which is never compared
LARGEST = 12
ONLY_IN = {"openapi.json": "OpenApiFunction"}  # large files that one function serves
LAYERS = {"CommonLayer": "layers/common/requirements.txt", "DocsLayer": "layers/docs/requirements.txt"}


def main() -> None:
    functions = sorted(folder for folder in BUILD.glob("*Function") if folder.is_dir())
    layers = [BUILD / name for name in LAYERS if (BUILD / name).is_dir()]
    if not functions or not layers:
        raise SystemExit("nothing is built: run `make build`")
    print("| what | unzipped MB | zipped MB | files |\n|---|---:|---:|---:|")
    for folder in (*layers, functions[0]):
        files = [file for file in folder.rglob("*") if file.is_file()]
        name = f"each of {len(functions)} functions" if folder in functions else folder.name
        print(f"| {name} | {size(folder) / 1e6:.1f} | {zipped(folder) / 1e6:.1f} | {len(files)} |")
    print(f"\n| largest in the layer | MB |\n|---|---:|\n{largest(layers[0])}")
    wrong = [problem for folder in (*layers, *functions) for problem in problems(folder)]
    together = sum(map(size, layers)) + max(map(size, functions))
    if together > LIMIT_MB * 1e6:
        wrong.append(f"{together / 1e6:.0f} MB with its layers; Lambda's limit is {LIMIT_MB}")
    if wrong:
        raise SystemExit("\n".join(["", "must not be deployed:", *wrong[:20]]))
    print(f"\n{together / 1e6:.0f} MB of Lambda's {LIMIT_MB}; every package is locked, every module is compiled")


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def zipped(folder: Path) -> int:
    """The size of SAM's upload, which is deflated."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zip_file:
        for file in folder.rglob("*"):
            zip_file.write(file, file.relative_to(folder))
    return len(archive.getvalue())


def largest(layer: Path) -> str:
    packages: Counter[str] = Counter()
    for entry in (layer / "python").iterdir():
        packages[entry.name.partition(".")[0]] += size(entry) if entry.is_dir() else entry.stat().st_size
    return "\n".join(f"| {name} | {weight / 1e6:.1f} |" for name, weight in packages.most_common(LARGEST))


def problems(folder: Path) -> Iterator[str]:
    """Problems of a built layer or function, one line each."""
    for name, function in ONLY_IN.items():
        if folder.name == function and not any(folder.rglob(name)):
            yield f"{function}/{name}: missing (functions/Makefile)"
    if folder.name in LAYERS:
        yield from _unlocked(folder / "python", ROOT / LAYERS[folder.name])
    for part in folder.rglob("*"):
        where = part.relative_to(folder.parent)
        if part.is_dir() and part.name in ("test", "tests"):
            yield f"{where}: tests"
        elif ONLY_IN.get(part.name, folder.name) != folder.name:
            yield f"{where}: only {ONLY_IN[part.name]} serves it (functions/Makefile)"
        elif part.suffix == ".py" and not _is_compiled(part):
            yield f"{where}: no unchecked bytecode"


def _unlocked(site: Path, lock: Path) -> Iterator[str]:
    locked = {_normal(name) for name in re.findall(r"^([\w.-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE)}
    for metadata in site.glob("*.dist-info"):
        if (name := Distribution.at(metadata).metadata["Name"]) and _normal(name) not in locked:
            yield f"{name}: not in {lock.relative_to(ROOT)}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_compiled(source: Path) -> bool:
    """Compiled by the Python that runs this tool, which is also the one that builds."""
    bytecode = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
    if not bytecode.exists():
        return False
    with bytecode.open("rb") as file:
        magic, flags = file.read(4), int.from_bytes(file.read(4), "little")
    return magic == importlib.util.MAGIC_NUMBER and flags == UNCHECKED_HASH


if __name__ == "__main__":
    main()
