"""Schema drift of what was landed: the lake's objects beside their CRDs, from files or landed themselves."""

from collections.abc import Iterator
from pathlib import Path

from gitopslab.checks.crds import CrdSchema, schemas_from_directory, schemas_from_objects
from gitopslab.checks.schema import DriftReport, ObjectKey
from gitopslab.checks.schema import drift as drift_of
from gitopslab.datasets import OBJECT_VERSIONS
from gitopslab.errors import UsageError
from gitopslab.lake import Lake
from gitopslab.settings import Settings

_CRDS = ("apiextensions.k8s.io", "customresourcedefinitions")


def drift(settings: Settings, crds: Path | None = None) -> DriftReport:
    """Return where the lake's object versions and their CRDs have drifted apart.

    Args:
        settings: Where the lake is.
        crds: File or folder of CustomResourceDefinitions; by default those in the lake.

    Raises:
        UsageError: The lake is empty, or there is no CRD to compare with.
    """
    lake = Lake(settings.lake.path)
    if not lake.files(OBJECT_VERSIONS):
        raise UsageError(f"{lake.url}: the lake is empty; `gitopslab land files PATH` puts objects into it")
    return drift_of(_objects(lake), schemas_from_directory(crds) if crds else _landed(lake))


def _landed(lake: Lake) -> list[CrdSchema]:
    bodies = []
    for table in lake.read(OBJECT_VERSIONS, ["api_group", "resource", "body"]):
        bodies += [
            row["body"].encode() for row in table.to_pylist() if (row["api_group"], row["resource"]) == _CRDS
        ]
    if not bodies:
        raise UsageError(
            f"{lake.url}: no CustomResourceDefinition was landed; land them, or name a folder with --crds"
        )
    return schemas_from_objects(bodies)


def _objects(lake: Lake) -> Iterator[tuple[ObjectKey, bytes]]:
    columns = ["namespace", "name", "resource_version", "body"]
    for table in lake.read(OBJECT_VERSIONS, columns):
        for batch in table.to_batches(max_chunksize=1_000):
            for namespace, name, version, body in zip(
                *(batch[column].to_pylist() for column in columns), strict=True
            ):
                yield ObjectKey(namespace, name, version), body.encode()
