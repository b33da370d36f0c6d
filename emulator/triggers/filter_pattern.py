"""Filter patterns of event source mappings, on the `value` of a Kafka record.

Lambda developer guide, "Control which events Lambda sends to your function" and "Filtering events from Amazon MSK and
self-managed Apache Kafka event sources". A rule that is not in those pages is an error.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emulator.stack import StackError

_MISSING: Any = object()
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda value, limit: value == limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}
_MAX_FILTERS = 10  # AWS's own limit, after a quota increase


class Filters:
    """A mapping's `FilterCriteria.Filters`: a record passes when it satisfies any of them."""

    def __init__(self, filters: Sequence[Mapping[str, Any]], where: str) -> None:
        """Raises StackError, which names `where`, for an invalid filter."""
        if len(filters) > _MAX_FILTERS:
            raise StackError(f"{where}: at most {_MAX_FILTERS} filters")
        self._patterns = [_pattern(one, f"{where}[{index}].Pattern") for index, one in enumerate(filters)]

    def pass_value(self, value: bytes | None) -> bool:
        """Whether a record with this value reaches the function."""
        if not self._patterns:
            return True
        text, document = _read(value)
        return any(_passes(pattern, text, document) for pattern in self._patterns)


def _pattern(declared: Mapping[str, Any], where: str) -> Any:
    """The rule on `value`; None if the pattern has none: every record satisfies it."""
    try:
        pattern = json.loads(declared["Pattern"])
    except (KeyError, TypeError, ValueError) as error:
        raise StackError(f"{where}: not JSON: {error}") from None
    if not isinstance(pattern, dict):
        raise StackError(f"{where}: must be a JSON object")
    for name in pattern:
        if name != "value":
            raise StackError(f"{where}: Kafka records are filtered on value only, not on {name}")
    rule = pattern.get("value")
    if rule is not None:
        _check(rule, f"{where}: value")
    return rule


def _check(rule: Any, where: str) -> None:
    if isinstance(rule, dict):
        for name, inner in rule.items():
            if name != "$or":
                _check(inner, f"{where}.{name}")
                continue
            if not (isinstance(inner, list) and len(inner) > 1):
                raise StackError(f"{where}.$or: needs a list of two or more")
            for index, alternative in enumerate(inner):
                if not isinstance(alternative, dict):
                    raise StackError(f"{where}.$or[{index}]: must be an object")
                _check(alternative, f"{where}.$or[{index}]")
    elif isinstance(rule, list) and rule:
        for condition in rule:
            _check_condition(condition, where)
    else:
        raise StackError(f"{where}: must be an object, or a list of the values and conditions that pass")


def _check_condition(condition: Any, where: str) -> None:
    if isinstance(condition, list):
        raise StackError(f"{where}: a list inside a list")
    if not isinstance(condition, dict):
        return
    if len(condition) != 1:
        raise StackError(f"{where}: a condition has one operator, not {len(condition)}")
    ((operator, operand),) = condition.items()
    if operator in {"prefix", "suffix", "equals-ignore-case"}:
        valid = isinstance(operand, str)
    elif operator == "exists":
        valid = isinstance(operand, bool)
    elif operator == "anything-but":
        operands = operand if isinstance(operand, list) else [operand]
        valid = bool(operands) and all(isinstance(one, str | int | float | None) for one in operands)
    elif operator == "numeric":
        pairs = isinstance(operand, list) and len(operand) in (2, 4)
        valid = pairs and all(
            sign in _COMPARISONS and _is_number(limit) for sign, limit in zip(operand[::2], operand[1::2], strict=True)
        )
    else:
        raise StackError(f"{where}: the operator {operator} is not supported")
    if not valid:
        raise StackError(f"{where}: {operator} does not take {json.dumps(operand)}")


def _read(value: bytes | None) -> tuple[str | None, Any]:
    """The value as text, and as the JSON document it may be."""
    try:
        text = (value or b"").decode()
    except UnicodeDecodeError:
        return None, _MISSING
    try:
        return text, json.loads(text)
    except ValueError:
        return text, _MISSING


def _passes(rule: Any, text: str | None, document: Any) -> bool:
    if rule is None:
        return True
    if isinstance(rule, dict):  # if the value is not a JSON object, no such rule passes
        return isinstance(document, dict) and _matches(rule, document)
    # A rule on plain text; in AWS, JSON never passes it.
    return text is not None and document is _MISSING and _matches(rule, text)


def _matches(rule: Any, value: Any) -> bool:
    if isinstance(rule, dict):
        if isinstance(value, list):
            return any(_matches(rule, item) for item in value)
        fields = value if isinstance(value, dict) else {}
        return all(
            any(_matches(alternative, fields) for alternative in inner)
            if name == "$or"
            else _matches(inner, fields.get(name, _MISSING))
            for name, inner in rule.items()
        )
    return any(_satisfies(condition, value) for condition in rule)


def _satisfies(condition: Any, value: Any) -> bool:
    if isinstance(condition, dict) and "exists" in condition:  # of leaves only
        return bool(condition["exists"]) is (value is not _MISSING and not isinstance(value, dict))
    if isinstance(value, list):
        if isinstance(condition, dict) and "anything-but" in condition:
            return bool(value) and all(_satisfies(condition, item) for item in value)
        return any(_satisfies(condition, item) for item in value)
    if value is _MISSING or isinstance(value, dict):
        return False
    if not isinstance(condition, dict):
        return _same(condition, value)
    ((operator, operand),) = condition.items()
    if operator == "anything-but":
        return not any(_same(one, value) for one in (operand if isinstance(operand, list) else [operand]))
    if operator == "numeric":
        return _is_number(value) and all(
            _COMPARISONS[sign](value, limit) for sign, limit in zip(operand[::2], operand[1::2], strict=True)
        )
    if not isinstance(value, str):
        return False
    if operator == "prefix":
        return value.startswith(operand)
    if operator == "suffix":
        return value.endswith(operand)
    return value.casefold() == str(operand).casefold()


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)  # in AWS, 300 is not equal to 300.0, nor 1 to true


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
