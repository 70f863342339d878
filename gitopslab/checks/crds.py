"""CustomResourceDefinitions, from files or as they were landed: the schema of each version they define."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from gitopslab.checks.json_schema import OpenApi, describes_fields, json_schema, unreadable_patterns
from gitopslab.errors import UsageError
from gitopslab.extract import documents

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, not UTF-8, or too deep."""

# Rejected after it was read well enough to know it is no CRD, as a kustomization.yaml beside them is.
_NO_CRD = frozenset({"no_kind", "no_name", "not_an_object", "undecodable_record", "watch_error"})


@dataclass(frozen=True)
class CrdSchema:
    """One version of a custom resource.

    Attributes:
        group: API group, `argoproj.io`.
        kind: Kind, `Application`.
        plural: Name of the resource in its API's paths, `applications`.
        version: API version, `v1alpha1`, served or not.
        schema: JSON Schema 2020-12 of whole objects; unknown fields are errors wherever a server would prune.
        has_schema: False where the CRD names no field, so that every object would pass.
        source: The file, or the landed object, that said so.
        unchecked: What the CRD asks for and cannot be checked, one line each.
    """

    group: str
    kind: str
    plural: str
    version: str
    schema: dict[str, Any]
    has_schema: bool
    source: str
    unchecked: tuple[str, ...] = ()


class _Names(msgspec.Struct, gc=False):
    kind: str
    plural: str = ""


class _Validation(msgspec.Struct, gc=False):
    schema: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"), name="openAPIV3Schema")


class _Version(msgspec.Struct, gc=False):
    name: str
    validation: _Validation | None = msgspec.field(default=None, name="schema")


class _Spec(msgspec.Struct, rename="camel", gc=False):
    group: str
    names: _Names
    versions: list[_Version]
    preserve_unknown_fields: bool = False


class _Metadata(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    resource_version: str = ""


class _Definition(msgspec.Struct, gc=False):
    spec: _Spec
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class _Header(msgspec.Struct, gc=False):
    kind: str = ""


def schemas_from_directory(path: Path) -> list[CrdSchema]:
    """Return every version of every CustomResourceDefinition below `path`, in the order of its files.

    Raises:
        UsageError: `path` is not there, holds no CRD, or a file that cannot be read.
    """
    schemas: list[CrdSchema] = []
    for file in documents.find([path]):
        if isinstance(file, Path):
            schemas.extend(_schemas_from_file(file))
        elif file.reason == "unreadable folder":
            raise UsageError(f"{file.path}: this folder cannot be read; it may hold CRDs")
    if not schemas:
        raise UsageError(f"{path}: no CustomResourceDefinition; `kubectl get crd -o yaml` prints them")
    return schemas


def schemas_from_objects(bodies: Iterable[bytes]) -> list[CrdSchema]:
    """Return every version of the landed CustomResourceDefinitions, in their order.

    An object that is none, or does not say which kind and versions it defines, defines nothing: objects of
    that kind are then reported as having no CRD.
    """
    schemas: list[CrdSchema] = []
    for body in bodies:
        try:
            schemas.extend(_schemas(body))
        except UNDECODABLE:
            continue
    return schemas


def _schemas_from_file(file: Path) -> Iterator[CrdSchema]:
    for page in documents.read(file, documents.Limits()):
        if isinstance(page, documents.Reject):
            if page.reason not in _NO_CRD:
                raise UsageError(f"{file}, line {page.line}: {page.message}; CRDs are YAML or JSON")
            continue
        for body, line in zip(page.bodies, page.lines, strict=True):
            try:
                yield from _schemas(body, source=f"{file}, line {line}")
            except UNDECODABLE as error:
                raise UsageError(f"{file}, line {line}: this is no CRD of v1: {error}") from error


def _schemas(body: bytes, *, source: str = "") -> Iterator[CrdSchema]:
    if msgspec.json.decode(body, type=_Header).kind != "CustomResourceDefinition":
        return
    definition = msgspec.json.decode(body, type=_Definition)
    landed_as = f"{definition.metadata.name}@{definition.metadata.resource_version}"
    for version in definition.spec.versions:
        yield _schema(definition.spec, version, source or landed_as)


def _schema(spec: _Spec, version: _Version, source: str) -> CrdSchema:
    validation = version.validation or _Validation()
    names = (spec.group, spec.names.kind, spec.names.plural, version.name)
    try:
        root = msgspec.json.decode(validation.schema, type=OpenApi)
        schema = json_schema(root, prunes=not spec.preserve_unknown_fields)
    except UNDECODABLE as error:
        unread = (f"the schema cannot be read: {error}",)
        return CrdSchema(*names, {}, has_schema=False, source=source, unchecked=unread)
    patterns = tuple(f"{path}: the pattern cannot be read" for path in unreadable_patterns(root))
    return CrdSchema(*names, schema, describes_fields(root), source, patterns)
