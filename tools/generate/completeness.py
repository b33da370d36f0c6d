"""What is missing from a route or function, and how to add it: one sentence each. Fast: imports no handler."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tools.handlers import ROOT, DeployedFunction, TemplateRoute, deployed_functions, handler_files
from tools.openapi import contract

DOCUMENT = ROOT / "functions" / "gateway" / "openapi.json"
ENDPOINT = "common.http.endpoint"


def what_is_missing(route: TemplateRoute) -> Iterator[str]:
    broken = handler_problem(route)
    if broken:
        yield broken
    yield from _sample_problems(route)
    operation = _document()["paths"].get(route.path, {}).get(route.method.lower(), {})
    if operation.get("operationId") != route.name:
        yield f"{route} is not in functions/gateway/openapi.json as {route.name}: run `make generate`."
    if (route.method, contract.shape(route.path)) not in _documented():
        section = contract.section_of(route.path)
        under = f"under {section}" if section else "in a table of the section it belongs to"
        yield f"{route} has no row in docs/api.md: add one {under}."
    if not _is_tested(route):
        yield f"{route} has no test: no file in tests/ names {_stem(route)} or calls its path, so add one that does."


def handler_problem(route: TemplateRoute) -> str | None:
    """Why the file of a route's handler is not an endpoint; None if it is one."""
    path = route.function.file
    file = path.relative_to(ROOT)
    if not path.exists():
        return f"{route} has no handler: template.yaml names {route.module}.handler, so write {file}."
    reason = not_an_endpoint(path.read_text(encoding="utf-8"))
    return f"{route}: {file} {reason}." if reason else None


def not_an_endpoint(source: str) -> str | None:
    """Why this source is not an endpoint, and how to correct it; None if it is one."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return f"is not valid Python: correct line {error.lineno} ({error.msg})"
    handlers = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "handler"]
    if not handlers:
        return "has no function `handler`: define one and decorate it with `@endpoint`"
    if "endpoint" not in {_called(each) for each in handlers[0].decorator_list}:
        return "has a `handler` that is not an endpoint: decorate it with `@endpoint`"
    imports = [each for each in tree.body if isinstance(each, ast.ImportFrom) and each.module == ENDPOINT]
    if not any(alias.name == "endpoint" for each in imports for alias in each.names):
        return f"does not import `endpoint`: add `from {ENDPOINT} import endpoint`"
    return None


def function_problems(function: DeployedFunction) -> Iterator[str]:
    """What is missing from any function: also from consumers, schedules and internal calls."""
    file = function.file.relative_to(ROOT)
    if function.file not in _handler_files():
        yield f"{function.logical_id}: template.yaml names {function.module}.handler, so define `handler` in {file}."
    if not function.sample.exists():
        yield f"{function.logical_id} has no sample event {function.sample.relative_to(ROOT)}: run `make generate`."


def undeployed_handlers() -> Iterator[str]:
    deployed = {function.file for function in deployed_functions()}
    for path in _handler_files():
        if path not in deployed:
            handler = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield (
                f"{path.relative_to(ROOT)} is not deployed: add a function with `Handler: {handler}.handler` "
                "to template.yaml."
            )


def unused_samples() -> Iterator[str]:
    names = {function.name for function in deployed_functions()}
    for path in sorted((ROOT / "events").glob("*.json")):
        if path.stem not in names:
            yield f"{path.relative_to(ROOT)} belongs to no function in template.yaml: rename or delete it."


def _sample_problems(route: TemplateRoute) -> Iterator[str]:
    path = route.function.sample
    name = path.relative_to(ROOT)
    if not path.exists():
        yield f"{route} has no sample event {name}: run `make generate`."
        return
    sample = json.loads(path.read_text(encoding="utf-8"))
    if (sample.get("httpMethod"), sample.get("resource")) != (route.method, route.path):
        yield (
            f"{route}: its sample event {name} is for {sample.get('httpMethod')} {sample.get('resource')}: "
            "delete the file and run `make generate`."
        )


def _stem(route: TemplateRoute) -> str:
    return route.module.split(".")[-1]


def _called(decorator: ast.expr) -> str | None:
    """The name of a decorator: `endpoint` for `@endpoint` and `@endpoint(…)`."""
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    return name.id if isinstance(name, ast.Name) else None


def _is_tested(route: TemplateRoute) -> bool:
    if _stem(route) in _words():
        return True
    # In tests, a path variable is a value or a replacement field: f"/venues/{venue_id}/halls".
    path = re.sub(r"\\{\w+\\}", r"[^/\\s\"']+", re.escape(route.path))
    return bool(re.search(rf"{path}(?![\w/{{-])", _tests()))


@cache
def _words() -> frozenset[str]:
    return frozenset(re.findall(r"\w+", _tests()))


@cache
def _tests() -> str:
    files = sorted((ROOT / "tests").rglob("*.py"))
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@cache
def _documented() -> set[tuple[str, str]]:
    rows = contract.contract()
    return {(method, contract.shape(path)) for row in rows for method, path in row.operations}


@cache
def _document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return found


@cache
def _handler_files() -> frozenset[Path]:
    return frozenset(handler_files())
