"""Builds an example that a model accepts, from its JSON Schema: a value for each field by name, type and bounds."""

from collections.abc import Mapping
from typing import Any

from common.domain.model import Model

Schema = Mapping[str, Any]

# The ids of local/seed's venue, hall and event; the other ids are not in the seed.
IDS = {
    "venueId": "01900000-0000-7000-8000-000000000001",
    "hallId": "01900000-0000-7000-8000-000000000002",
    "eventId": "01900000-0000-7000-8000-000000000003",
    "userId": "01900000-0000-7000-8000-0000000000a1",
    "reservationId": "01900000-0000-7000-8000-00000000a001",
    "paymentId": "01900000-0000-7000-8000-00000000b001",
}
OTHER_ID = "01900000-0000-7000-8000-00000000c001"
TEXTS = {
    "email": "buyer@example.com",
    "phone": "010-1234-5678",
    "password": "correct-horse-1",
    "currentPassword": "correct-horse-1",
    "newPassword": "correct-horse-2",
    "captchaToken": "sandbox-human",
    "city": "서울",
}
FORMATS = {"date-time": "2026-11-22T07:00:00Z", "date": "2026-11-22", "uri": "https://example.com/"}


def example_of(kind: type[Model]) -> dict[str, Any]:
    """An example with the required fields and those with a default, or with all fields if there are none of these.

    A rule that is not in the schema may still reject it.
    """
    schema = kind.model_json_schema(by_alias=True, mode="validation")
    made: dict[str, Any] = _object(schema, schema.get("$defs", {}))
    return made


def _example(name: str, schema: Schema, definitions: Mapping[str, Schema]) -> Any:
    if "$ref" in schema:
        return _example(name, definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        kinds = [each for each in schema["anyOf"] if each.get("type") != "null"]
        return _example(name, kinds[0], definitions)
    if schema.get("default") is not None:
        return schema["default"]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case "array":
            count = max(1, schema.get("minItems", 1))
            return [_example(name.removesuffix("s"), schema.get("items", {}), definitions) for _ in range(count)]
        case "object":
            return _object(schema, definitions)
        case _:
            return _text(name, schema)


def _object(schema: Schema, definitions: Mapping[str, Schema]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = schema.get("required", ())
    names = [name for name, each in properties.items() if name in required or each.get("default") is not None]
    made = {name: _example(name, properties[name], definitions) for name in names or properties}
    if not properties and isinstance(schema.get("additionalProperties"), Mapping):
        key = _example("name", schema.get("propertyNames", {}), definitions)
        made[key] = _example(key, schema["additionalProperties"], definitions)
    return made


def _number(schema: Schema) -> int:
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    most = schema.get("maximum", schema.get("exclusiveMaximum", least + 1) - 1)
    return int(max(least, min(1, most)))


def _text(name: str, schema: Schema) -> str:
    if schema.get("format") == "uuid":
        return IDS.get(name, OTHER_ID)
    text = FORMATS.get(schema.get("format", "")) or TEXTS.get(name) or name
    least, most = schema.get("minLength", 0), schema.get("maxLength", 1000)
    return (text * (least // len(text) + 1) if len(text) < least else text)[:most]
