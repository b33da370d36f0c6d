"""JSON Schemas of the models, with readable names."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from common.domain.model import Model

Schema = dict[str, Any]
Mode = Literal["validation", "serialization"]  # of requests, of responses

REF = "#/components/schemas/"
# For a bound after a validator, pydantic keeps its own keyword.
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


class Schemas:
    """`used`: every model of the document with its mode. All at once, so that equal names become different."""

    def __init__(self, used: Iterable[tuple[type[Model], Mode]]) -> None:
        references, made = models_json_schema(
            list(dict.fromkeys(used)), ref_template=REF + "{model}", schema_generator=_WithoutFieldTitles
        )
        definitions: dict[str, Schema] = made.get("$defs", {})
        self._names = _readable(definitions)
        self._references: dict[tuple[type[Any], Mode], Schema] = {
            key: self._renamed(reference) for key, reference in references.items()
        }
        self._definitions: dict[str, Schema] = {
            self._names[name]: self._renamed(schema) for name, schema in definitions.items()
        }

    def reference(self, model: type[Model], mode: Mode) -> Schema:
        return self._references[model, mode]

    def definition(self, model: type[Model], mode: Mode) -> Schema:
        return self.named(self.reference(model, mode))

    def named(self, reference: Schema) -> Schema:
        name: str = reference["$ref"].removeprefix(REF)
        return self._definitions[name]

    def reachable(self, document: Any) -> dict[str, Schema]:
        """The definitions that `document` refers to, and those these refer to."""
        found: dict[str, Schema] = {}
        left = _referred(document)
        while left:
            name = left.pop()
            if name in self._definitions and name not in found:
                found[name] = self._definitions[name]
                left |= _referred(found[name])
        return dict(sorted(found.items()))

    def _renamed(self, part: Any) -> Any:
        if isinstance(part, list):
            return [self._renamed(each) for each in part]
        if not isinstance(part, dict):
            return part
        return {
            BOUNDS.get(key, key): REF + self._names[value.removeprefix(REF)] if key == "$ref" else self._renamed(value)
            for key, value in part.items()
            # A default of null means "not required", which is stated already. Times have no bounds in JSON Schema.
            if not ((key == "default" and value is None) or (key in BOUNDS and isinstance(value, str)))
        }


class _WithoutFieldTitles(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False  # "Event Id" adds nothing to eventId

    def field_is_required(self, field: Any, total: bool) -> bool:
        # A response has every field, those with defaults too.
        return self.mode == "serialization" or super().field_is_required(field, total)


def _readable(definitions: Iterable[str]) -> dict[str, str]:
    """Names without module paths: one of two `Status` becomes PaymentsStatus, `Page_Payment_` becomes PageOfPayment."""
    readable = {}
    for name in definitions:
        short = re.sub(r"functions__([a-z])([a-z_]*?)__\w*?__(?=[A-Z])", lambda of: of[1].upper() + of[2], name)
        readable[name] = re.sub(r"^(\w+?)_(\w+)_$", r"\1Of\2", short)
    twice = [name for name, count in Counter(readable.values()).items() if count > 1]
    if twice:
        raise ValueError(f"two models of one service have the same name: {', '.join(twice)}")
    return readable


def _referred(part: Any) -> set[str]:
    if isinstance(part, list):
        return set().union(*map(_referred, part)) if part else set()
    if not isinstance(part, dict):
        return set()
    found = set().union(*map(_referred, part.values())) if part else set()
    reference = part.get("$ref")
    if isinstance(reference, str) and reference.startswith(REF):
        found.add(reference.removeprefix(REF))
    return found
