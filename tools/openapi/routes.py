"""The public routes of template.yaml, each with what its handler declares."""

import inspect
import json
import re
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from common.http.operation import Operation
from tools.handlers import ROOT, TEMPLATE, TemplateRoute, template_routes

__all__ = ["ROOT", "TEMPLATE", "IncompleteRoute", "Route", "routes"]


class IncompleteRoute(Exception):
    """A part of a route is missing. The message says which, and how to add it."""


@dataclass(frozen=True)
class Route(TemplateRoute):
    @cached_property
    def operation(self) -> Operation:
        """Raises IncompleteRoute if the handler cannot be imported or is no endpoint."""
        handler = getattr(self._module, "handler", None)
        declared = getattr(handler, "operation", None)
        if not isinstance(declared, Operation):
            raise IncompleteRoute(
                f"{self}: {self._file} has no `handler` that is an endpoint: decorate it with `@endpoint` "
                "of common.http.endpoint."
            )
        return declared

    @cached_property
    def documentation(self) -> str:
        """The docstring of the handler's file, without the method and path at its start."""
        words = inspect.cleandoc(self._module.__doc__ or "")
        words = re.sub(r"^[A-Z]+ /\S*?: ", "", words)
        return words[:1].upper() + words[1:]

    @cached_property
    def sample(self) -> dict[str, Any]:
        """Raises IncompleteRoute if the sample event does not exist."""
        path = self.function.sample
        if not path.exists():
            raise IncompleteRoute(f"{self} has no sample event {path.relative_to(ROOT)}: run `make generate`.")
        sample: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return sample

    @property
    def _file(self) -> Path:
        return self.function.file.relative_to(ROOT)

    @cached_property
    def _module(self) -> ModuleType:
        if not self.function.file.exists():
            raise IncompleteRoute(f"{self}: template.yaml names the handler {self.module}: write {self._file}.")
        try:
            return import_module(self.module)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise IncompleteRoute(f"{self}: {self._file} cannot be imported: {reason}.") from error


def routes(template: Path = TEMPLATE) -> list[Route]:
    """By path and method. Without the catch-all that returns 404."""
    return [Route(each.method, each.path, each.public, each.function) for each in template_routes(template)]
