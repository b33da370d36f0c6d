"""Circular references between resources, which CloudFormation refuses."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from emulator.stack import StackError

_SUBSTITUTION = re.compile(r"\$\{([^!][^}]*)\}")


def refuse_circles(resources: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises StackError with the resources of the first circle there is."""
    needs = {name: sorted(set(_names(resource)) & set(resources)) for name, resource in resources.items()}
    done: set[str] = set()
    for first in needs:
        path: list[str] = []
        stack = [(first, iter([first]))]
        while stack:
            name = next(stack[-1][1], None)
            if name is None:
                stack.pop()
                if path:
                    done.add(path.pop())
            elif name in path:
                circle = [*path[path.index(name) :], name]
                raise StackError(f"Resources.{name}: circular dependency: {' → '.join(circle)}")
            elif name not in done:
                path.append(name)
                stack.append((name, iter(needs[name])))


def _names(resource: Mapping[str, Any]) -> Iterator[str]:
    """What a resource refers to, or waits for."""
    waits = resource.get("DependsOn") or []
    yield from [waits] if isinstance(waits, str) else waits
    yield from _references(resource.get("Properties"))


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    if not isinstance(node, Mapping):
        return
    for key, value in node.items():
        if key == "Ref" and isinstance(value, str):
            yield value
        elif key == "Fn::GetAtt":
            yield str(value).partition(".")[0] if isinstance(value, str) else str(value[0]) if value else ""
        elif key == "Fn::Sub":
            text, own = (value, {}) if isinstance(value, str) else (str(value[0]), value[1])
            for name in _SUBSTITUTION.findall(text):
                if name.strip() not in own:
                    yield name.strip().partition(".")[0]
            yield from _references(list(own.values()))
        else:
            yield from _references(value)
