"""What a CRD's OpenAPI schema says, as JSON Schema 2020-12; the only place that knows how the two differ.

The JSON Schema is strict: where an API server would prune a field, the field is an error. Not carried over,
so never checked: CEL rules (`x-kubernetes-validations`), the keys of list maps, and formats whose names
mean something else to Kubernetes than to JSON Schema (`duration`, `int32`).
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import jsonschema_rs
import msgspec

_FORMATS = frozenset({"date", "date-time", "ipv4", "ipv6"})
# Patterns are read as ECMA's, to which these parts of Go's RE2 are no error but mean something else.
_RE2_ONLY = re.compile(r"\[:\^?\w+:\]|\\[QEC]")
_BOUNDS = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_items",
    "maxItems": "max_items",
    "minProperties": "min_properties",
    "maxProperties": "max_properties",
    "multipleOf": "multiple_of",
}
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


class OpenApi(msgspec.Struct, rename="camel", gc=False):
    """One node of an `openAPIV3Schema`: the keywords that decide which objects are valid.

    Decoding refuses a keyword of the wrong type and drops the others, `$ref` among them: no CRD may
    use it, and none may send a validator to the network.
    """

    type: str | None = None
    nullable: bool = False
    format: str | None = None
    pattern: str | None = None
    enum: list[Any] | None = None
    default: Any = msgspec.UNSET
    minimum: int | float | None = None
    maximum: int | float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    min_properties: int | None = None
    max_properties: int | None = None
    multiple_of: int | float | None = None
    unique_items: bool = False
    required: list[str] = []
    properties: dict[str, "OpenApi"] = {}
    additional_properties: "bool | OpenApi | None" = None
    items: "OpenApi | None" = None
    all_of: list["OpenApi"] = []
    any_of: list["OpenApi"] = []
    one_of: list["OpenApi"] = []
    not_: "OpenApi | None" = msgspec.field(default=None, name="not")
    is_int_or_string: bool = msgspec.field(default=False, name="x-kubernetes-int-or-string")
    is_embedded_resource: bool = msgspec.field(default=False, name="x-kubernetes-embedded-resource")
    preserves_unknown: bool = msgspec.field(default=False, name="x-kubernetes-preserve-unknown-fields")


def json_schema(root: OpenApi, *, prunes: bool) -> dict[str, Any]:
    """Return the JSON Schema of whole objects whose CRD version has the schema `root`.

    `apiVersion`, `kind` and `metadata` are the API server's: they are never unknown, nor is anything in
    `metadata`. A required field with a default is not required, since the server fills it in on reading.

    Args:
        root: The CRD version's `openAPIV3Schema`.
        prunes: False for a CRD with `preserveUnknownFields: true`, whose server drops nothing.
    """
    return _convert(msgspec.structs.replace(root, is_embedded_resource=True), prunes=prunes)


def describes_fields(root: OpenApi) -> bool:
    """Return whether the schema says anything of an object beyond `apiVersion`, `kind` and `metadata`."""
    return any(
        name not in _identity(root) and (bool(field.properties) or not field.preserves_unknown)
        for name, field in root.properties.items()
    )


def unreadable_patterns(root: OpenApi) -> Iterator[str]:
    """Yield the path of each field whose pattern is in a dialect that cannot be checked here."""
    for path, node in _nodes(root, ""):
        if node.pattern and not _is_readable(node.pattern):
            yield path


def _nodes(node: OpenApi, path: str) -> Iterator[tuple[str, OpenApi]]:
    yield path, node
    for name, field in node.properties.items():
        yield from _nodes(field, f"{path}.{name}" if path else name)
    if node.items:
        yield from _nodes(node.items, f"{path}[]")
    if isinstance(node.additional_properties, OpenApi):
        yield from _nodes(node.additional_properties, f"{path}.*")
    for choice in (*node.all_of, *node.any_of, *node.one_of, *([node.not_] if node.not_ else [])):
        yield from _nodes(choice, path)


def _convert(node: OpenApi, *, prunes: bool) -> dict[str, Any]:
    return {
        **_type(node),
        **_bounds(node),
        **_text(node),
        **_fields(node, prunes=prunes),
        **({"items": _convert(node.items, prunes=prunes)} if node.items else {}),
        **_choices(node),
    }


def _type(node: OpenApi) -> dict[str, Any]:
    types = ["integer", "string"] if node.is_int_or_string else [node.type] if node.type else []
    schema: dict[str, Any] = {"type": [*types, *(["null"] if node.nullable else [])]} if types else {}
    if node.enum is not None:
        schema["enum"] = [*node.enum, *([None] if node.nullable else [])]
    return schema


def _bounds(node: OpenApi) -> dict[str, Any]:
    bounds = {word: getattr(node, field) for word, field in _BOUNDS.items()}
    schema = {word: bound for word, bound in bounds.items() if bound is not None}
    if node.minimum is not None:
        schema["exclusiveMinimum" if node.exclusive_minimum else "minimum"] = node.minimum
    if node.maximum is not None:
        schema["exclusiveMaximum" if node.exclusive_maximum else "maximum"] = node.maximum
    if node.unique_items:
        schema["uniqueItems"] = True
    return schema


def _text(node: OpenApi) -> dict[str, Any]:
    schema = {}
    if node.format in _FORMATS:
        schema["format"] = node.format
    if node.pattern and _is_readable(node.pattern):
        schema["pattern"] = node.pattern
    return schema


def _fields(node: OpenApi, *, prunes: bool) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    properties = {name: _convert(field, prunes=prunes) for name, field in node.properties.items()}
    if node.is_embedded_resource:
        properties |= {name: _convert(field, prunes=False) for name, field in _identity(node).items()}
    if properties:
        schema["properties"] = properties
    if required := [name for name in node.required if not _has_default(node, name)]:
        schema["required"] = required
    if isinstance(node.additional_properties, OpenApi):
        schema["additionalProperties"] = _convert(node.additional_properties, prunes=prunes)
    elif node.additional_properties is False or (prunes and _is_pruned(node)):
        # Without `properties`, jsonschema_rs would not say which field is unknown.
        schema |= {"properties": properties, "additionalProperties": False}
    return schema


def _identity(node: OpenApi) -> dict[str, OpenApi]:
    own = {"apiVersion": OpenApi("string"), "kind": OpenApi("string"), "metadata": OpenApi("object")}
    return own | {name: node.properties[name] for name in own if name in node.properties}


def _has_default(node: OpenApi, name: str) -> bool:
    return name in node.properties and node.properties[name].default is not msgspec.UNSET


def _is_pruned(node: OpenApi) -> bool:
    # A server keeps no field of an object that names none, unless told to.
    return node.type == "object" and not node.preserves_unknown and node.additional_properties is None


def _choices(node: OpenApi) -> dict[str, Any]:
    # Nothing is unknown to a choice: it restricts fields that the node beside it has named.
    one_of = node.one_of if _is_exact(node.one_of) else []
    listed = {"allOf": node.all_of, "anyOf": node.any_of, "oneOf": one_of}
    schema: dict[str, Any] = {
        word: [_convert(choice, prunes=False) for choice in choices]
        for word, choices in listed.items()
        if choices
    }
    if node.is_int_or_string and [{"type": choice.type} for choice in node.any_of] == _INT_OR_STRING:
        del schema["anyOf"]  # said by the type already
    if node.not_ and _is_exact([node.not_]):
        schema["not"] = _convert(node.not_, prunes=False)
    return schema


def _is_exact(choices: Iterable[OpenApi]) -> bool:
    # A rule left out makes a schema allow more, and so its opposite forbid more than the CRD does.
    return all(
        node.format in {None, *_FORMATS} and (node.pattern is None or _is_readable(node.pattern))
        for choice in choices
        for _, node in _nodes(choice, "")
    )


@lru_cache(maxsize=4096)
def _is_readable(pattern: str) -> bool:
    if _RE2_ONLY.search(pattern):
        return False
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())
    except ValueError:
        return False
    return True
