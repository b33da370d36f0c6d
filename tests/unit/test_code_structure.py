"""Rules of the code's structure that import-linter cannot express (docs/architecture.md)."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMON = ROOT / "layers" / "common" / "python" / "common"
SOURCES = [*(ROOT / "functions").rglob("*.py"), *COMMON.rglob("*.py")]
LAYER_NAMES = {"__init__", "errors", "wiring"}  # each service has its own


def test_only_wiring_keeps_objects_for_the_execution_environment() -> None:
    """A factory is a cached function without parameters; caches of computed values have a key."""
    factories = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES
        if "wiring" not in path.relative_to(ROOT).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and not node.args.args and not node.args.kwonlyargs
        for decorator in node.decorator_list
        if ast.unparse(decorator).split("(")[0] in ("cache", "lru_cache", "functools.cache", "functools.lru_cache")
    ]
    assert factories == [], "move these to the service's wiring"


def test_no_module_of_a_service_has_the_name_of_one_in_common() -> None:
    common = {path.stem for path in COMMON.rglob("*.py")} - LAYER_NAMES
    twins = sorted(
        str(path.relative_to(ROOT))
        for path in (ROOT / "functions").rglob("*.py")
        if path.stem in common and "wiring" not in path.parts
    )
    assert twins == [], "give these a name of their own"
