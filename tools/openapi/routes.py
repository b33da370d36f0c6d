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

__all__ = ["ROOT", "TEMPLATE", "Incomplete", "Route", "routes"]


class Incomplete(Exception):
    """A route lacks something. One sentence says what, and how to add it."""


@dataclass(frozen=True)
class Route(TemplateRoute):
    @cached_property
    def operation(self) -> Operation:
        """Raises Incomplete if the handler cannot be imported or is no endpoint."""
        handler = getattr(self._module, "handler", None)
        declared = getattr(handler, "operation", None)
        if not isinstance(declared, Operation):
            raise Incomplete(
                f"{self}: {self._file} has no `handler` that is an endpoint: decorate it with `@endpoint` "
                "of common.http.endpoint."
            )
        return declared

    @cached_property
    def told(self) -> str:
        """What the handler's file says of it, without the method and path it begins with."""
        words = inspect.cleandoc(self._module.__doc__ or "")
        words = re.sub(r"^[A-Z]+ /\S*?: ", "", words)
        return words[:1].upper() + words[1:]

    @cached_property
    def sample(self) -> dict[str, Any]:
        """Raises Incomplete if the sample event does not exist."""
        path = self.function.sample
        if not path.exists():
            raise Incomplete(f"{self} has no sample event {path.relative_to(ROOT)}: run `make generate`.")
        sample: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return sample

    @property
    def _file(self) -> Path:
        return self.function.file.relative_to(ROOT)

    @cached_property
    def _module(self) -> ModuleType:
        if not self.function.file.exists():
            raise Incomplete(f"{self}: template.yaml names the handler {self.module}: write {self._file}.")
        try:
            return import_module(self.module)
        except Exception as error:
            raise Incomplete(f"{self}: {self._file} cannot be imported: {type(error).__name__}: {error}.") from error


def routes(template: Path = TEMPLATE) -> list[Route]:
    """By path and method. The catch-all that answers 404 is no route of the API."""
    return [Route(each.method, each.path, each.public, each.function) for each in template_routes(template)]
