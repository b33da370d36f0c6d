"""Which route of a REST API a request matches: a static part wins over a {parameter}, and both over {proxy+}."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

Target = TypeVar("Target")


@dataclass
class _Node(Generic[Target]):
    static: "dict[str, _Node[Target]]" = field(default_factory=dict)
    parameter: "tuple[str, _Node[Target]] | None" = None
    greedy: "tuple[str, _Node[Target]] | None" = None
    methods: dict[str, Target] = field(default_factory=dict)


class Router(Generic[Target]):
    """Targets by method and resource path, as in `add("GET", "/seats/{id}", …)`."""

    def __init__(self, routes: Iterable[tuple[str, str, Target]]) -> None:
        self._root: _Node[Target] = _Node()
        for method, resource, target in routes:
            self._add(method, resource, target)

    def match(self, method: str, path: str) -> tuple[Target, Mapping[str, str]] | None:
        """The target for `path`, still percent-encoded, and its decoded path parameters. A trailing slash is ignored.

        A resource without the method does not match: API Gateway does not try the next best resource.
        """
        parts = path.split("/")[1:]
        if parts and parts[-1] == "":
            parts.pop()
        parameters: dict[str, str] = {}
        node = self._walk(self._root, parts, 0, parameters)
        if node is None:
            return None
        target = node.methods.get(method, node.methods.get("ANY"))
        return None if target is None else (target, parameters)

    def _add(self, method: str, resource: str, target: Target) -> None:
        node = self._root
        for part in resource.split("/")[1:]:
            if not part:
                continue
            if part.startswith("{") and part.endswith("+}"):
                if node.greedy is None:
                    node.greedy = part[1:-2], _Node()
                node = node.greedy[1]
            elif part.startswith("{") and part.endswith("}"):
                if node.parameter is None:
                    node.parameter = part[1:-1], _Node()
                node = node.parameter[1]
            else:
                node = node.static.setdefault(part, _Node())
        node.methods[method] = target

    def _walk(
        self, node: "_Node[Target]", parts: list[str], at: int, parameters: dict[str, str]
    ) -> "_Node[Target] | None":
        if at == len(parts):
            return node if node.methods else None
        part = parts[at]
        child = node.static.get(unquote(part))
        if child is not None:
            found = self._walk(child, parts, at + 1, parameters)
            if found is not None:
                return found
        if node.parameter is not None and part:
            name, child = node.parameter
            found = self._walk(child, parts, at + 1, parameters)
            if found is not None:
                parameters[name] = unquote(part)
                return found
        if node.greedy is not None:
            name, child = node.greedy
            parameters[name] = unquote("/".join(parts[at:]))
            return child
        return None
