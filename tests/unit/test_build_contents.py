"""`make sizes` rejects builds with uncompiled modules, unlocked packages or tests."""

import py_compile
import sys
from pathlib import Path

import pytest

from tools.bench.sizes import problems


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A layer with one module of a locked package, as the makefile builds it."""
    site = tmp_path / "CommonLayer" / "python"
    (site / "pydantic").mkdir(parents=True)
    (site / "pydantic" / "main.py").write_text("answer = 42\n", encoding="utf-8")
    _add_metadata(site, "pydantic")
    _compile(site)
    return site.parent


def _compile(site: Path, mode: py_compile.PycInvalidationMode = py_compile.PycInvalidationMode.UNCHECKED_HASH) -> None:
    for source in site.rglob("*.py"):
        # Beside the source as in a build, even if this process keeps its bytecode elsewhere.
        target = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        py_compile.compile(str(source), cfile=str(target), invalidation_mode=mode)


def _add_metadata(site: Path, name: str) -> None:
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")


def test_a_layer_as_the_makefile_builds_it_has_no_problems(layer: Path) -> None:
    assert list(problems(layer)) == []


def test_a_package_that_is_not_locked_is_found(layer: Path) -> None:
    _add_metadata(layer / "python", "boto3")
    assert list(problems(layer)) == ["boto3: not in layers/common/requirements.txt"]


def test_tests_are_found(layer: Path) -> None:
    (layer / "python" / "pydantic" / "tests").mkdir()
    assert list(problems(layer)) == ["CommonLayer/python/pydantic/tests: tests"]


@pytest.mark.parametrize(
    ("function", "files", "problem"),
    [
        ("OpenApiFunction", ["openapi.json"], []),
        ("OpenApiFunction", [], ["OpenApiFunction/openapi.json: missing (functions/Makefile)"]),
        ("HealthFunction", [], []),
        (
            "HealthFunction",
            ["openapi.json"],
            ["HealthFunction/gateway/openapi.json: only OpenApiFunction serves it (functions/Makefile)"],
        ),
    ],
)
def test_the_openapi_document_is_packed_only_with_the_function_that_serves_it(
    function: str, files: list[str], problem: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / function / "gateway"
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).write_text("{}", encoding="utf-8")
    assert list(problems(folder.parent)) == problem


def test_a_module_without_bytecode_is_found(layer: Path) -> None:
    (layer / "python" / "late.py").write_text("", encoding="utf-8")
    assert list(problems(layer)) == ["CommonLayer/python/late.py: no unchecked bytecode"]


@pytest.mark.parametrize(
    "mode", [py_compile.PycInvalidationMode.TIMESTAMP, py_compile.PycInvalidationMode.CHECKED_HASH]
)
def test_bytecode_that_is_compared_with_its_source_is_found(layer: Path, mode: py_compile.PycInvalidationMode) -> None:
    _compile(layer / "python", mode)
    assert len(list(problems(layer))) == 1
