"""Circular references between resources, which CloudFormation rejects."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from emulator.stack import StackError

_SUBSTITUTION = re.compile(r"\$\{([^!][^}]*)\}")


def check_no_cycles(resources: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises StackError with the resources of the first cycle found."""
    references = {name: sorted(set(_names(resource)) & set(resources)) for name, resource in resources.items()}
    done: set[str] = set()
    for first in references:
        path: list[str] = []
        stack = [(first, iter([first]))]
        while stack:
            name = next(stack[-1][1], None)
            if name is None:
                stack.pop()
                if path:
                    done.add(path.pop())
            elif name in path:
                cycle = [*path[path.index(name) :], name]
                raise StackError(f"Resources.{name}: circular dependency: {' → '.join(cycle)}")
            elif name not in done:
                path.append(name)
                stack.append((name, iter(references[name])))


def _names(resource: Mapping[str, Any]) -> Iterator[str]:
    """The resources that a resource refers to or depends on."""
    depends_on = resource.get("DependsOn") or []
    yield from [depends_on] if isinstance(depends_on, str) else depends_on
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
