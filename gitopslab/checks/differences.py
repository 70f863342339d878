"""How one object differs from the CRD of its version, in words that never hold a value of it."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError, ValidationErrorKind

from gitopslab.checks.crds import CrdSchema

_LONGEST_NAME = 80
_LONGEST_TEXT = 200
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_JSON_TYPES = {
    bool: "boolean",
    dict: "object",
    float: "number",
    int: "integer",
    list: "array",
    str: "string",
    type(None): "null",
}
_BOUNDS = {
    "exclusiveMaximum": "is not below {}",
    "exclusiveMinimum": "is not above {}",
    "maxItems": "has more than {} items",
    "maxLength": "is longer than {} characters",
    "maxProperties": "has more than {} keys",
    "maximum": "is above {}",
    "minItems": "has fewer than {} items",
    "minLength": "is shorter than {} characters",
    "minProperties": "has fewer than {} keys",
    "minimum": "is below {}",
    "multipleOf": "is not a multiple of {}",
}

Problem = Literal[
    "unknown_field",
    "missing_field",
    "wrong_type",
    "not_in_enum",
    "out_of_bounds",
    "bad_format",
    "no_schema",
    "version_not_in_crd",
]


class Difference(NamedTuple):
    """One way in which an object differs from its CRD, in the words of a `Finding`."""

    path: str
    problem: Problem
    message: str


class Judge:
    """Holds objects of one version to its CRD; where several CRDs define it, each object to its nearest.

    Attributes:
        unchecked: What the CRDs ask for and cannot be checked, one line each.
    """

    def __init__(self, schemas: Sequence[CrdSchema]) -> None:
        self._validators: list[tuple[dict[str, Any], Draft202012Validator]] = []
        self.unchecked: list[str] = []
        for crd in _distinct(schemas):
            self.unchecked.extend(crd.unchecked)
            if crd.has_schema:
                self._compile(crd)

    @property
    def has_schema(self) -> bool:
        """Whether there is anything to hold an object to."""
        return bool(self._validators)

    def differences(self, document: dict[str, Any]) -> set[Difference]:
        """Return how `document` differs from the CRD it is nearest to; the first given, if two are.

        Raises:
            ValueError: It is nested more deeply than can be followed.
        """
        if any(validator.is_valid(document) for _, validator in self._validators):
            return set()
        return min((_differences(*pair, document) for pair in self._validators), key=len)

    def _compile(self, crd: CrdSchema) -> None:
        try:
            validator = Draft202012Validator(
                crd.schema,
                validate_formats=True,
                offline=True,
                mask="",  # its messages would hold the value, and are slow to write
                pattern_options=RegexOptions(),  # linear in the text, as Go's are
            )
        except ValueError:
            self.unchecked.append(f"the schema in {crd.source}: cannot be compiled")
        else:
            self._validators.append((crd.schema, validator))


def one_line(text: str) -> str:
    """Return `text` with nothing in it that moves a cursor, cut to a length that fits a table."""
    line = "".join(character if character.isprintable() else "?" for character in text[: _LONGEST_TEXT + 1])
    return line if len(line) <= _LONGEST_TEXT else f"{line[:_LONGEST_TEXT]}..."


def _distinct(schemas: Sequence[CrdSchema]) -> list[CrdSchema]:
    first: dict[bytes, CrdSchema] = {}
    for schema in schemas:
        first.setdefault(msgspec.json.encode(schema.schema), schema)
    return list(first.values())


def _differences(
    schema: dict[str, Any], validator: Draft202012Validator, document: dict[str, Any]
) -> set[Difference]:
    return {
        difference
        for error in validator.iter_errors(document)
        for difference in _explain(error, _path(schema, error.instance_path))
    }


def _explain(error: ValidationError, path: str) -> Iterator[Difference]:
    match error.kind:
        case ValidationErrorKind.AdditionalProperties(unexpected):
            for name in unexpected:
                yield Difference(_join(path, _quoted(name)), "unknown_field", "the CRD has no such field")
        case ValidationErrorKind.Required(name):
            message = "the CRD requires it; an object older than that rule lacks it"
            yield Difference(_join(path, _quoted(name)), "missing_field", message)
        case kind:
            problem, message = _fault(kind, error.instance)
            yield Difference(path, problem, one_line(message))


def _fault(kind: ValidationErrorKind, value: Any) -> tuple[Problem, str]:
    match kind:
        case ValidationErrorKind.Type(types):
            return "wrong_type", f"is {_JSON_TYPES[type(value)]}, the CRD wants {' or '.join(sorted(types))}"
        case ValidationErrorKind.Enum(options):
            return "not_in_enum", f"is none of {', '.join(json.dumps(option) for option in options)}"
        case ValidationErrorKind.Format(name):
            return "bad_format", f"is no {name}"
        case ValidationErrorKind.Pattern(pattern):
            return "bad_format", f"does not match {pattern}"
        case _ if kind.name in _BOUNDS:
            return "out_of_bounds", _BOUNDS[kind.name].format(kind.value)
        case _:
            return "out_of_bounds", f"breaks the CRD's {kind.name}"


def _path(schema: dict[str, Any], steps: Iterable[str | int]) -> str:
    """Return the path without indexes and keys: which item or key it was is data, not schema."""
    path, node = "", schema
    for step in steps:
        if isinstance(step, int):
            path, node = f"{path}[]", node.get("items", {})
        elif step in node.get("properties", {}):
            path, node = _join(path, _quoted(step)), node["properties"][step]
        else:
            path, node = _join(path, "*"), node.get("additionalProperties", {})
    return path


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _quoted(name: str) -> str:
    if len(name) > _LONGEST_NAME:
        return json.dumps(f"{name[:_LONGEST_NAME]}...")
    return name if _PLAIN_NAME.fullmatch(name) else json.dumps(name)
