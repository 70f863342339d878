"""Tables the build keeps itself: what was landed, how, what was lost, and what is configured."""

import fnmatch
import re
from typing import Any, NamedTuple

from gitopslab import database
from gitopslab.datasets import DATASETS, OBJECT_VERSIONS, Dataset
from gitopslab.settings import Settings


class KeptTable(NamedTuple):
    """A table the build keeps: what a row is, which columns are unique, and how it is made."""

    doc: str
    grain: tuple[str, ...]
    create: str


_TYPES = {
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
}


def _like(dataset: Dataset) -> str:
    fields = [field for field in dataset.schema if dataset is not OBJECT_VERSIONS or field.name != "body"]
    return ", ".join(f"{field.name} {_TYPES[str(field.type)]}" for field in fields)


TABLES = {
    "build": KeptTable(
        "This build of the warehouse: one row.",
        (),
        "build_id VARCHAR, built_at TIMESTAMPTZ, gitopslab_version VARCHAR, typed_fingerprint VARCHAR,"
        " decided_fingerprint VARCHAR, lake VARCHAR, lake_file_count BIGINT, object_version_count BIGINT,"
        " is_full BOOLEAN",
    ),
    "lake_file": KeptTable(
        "Files of the lake that this warehouse has read: one row a file.",
        ("path",),
        "path VARCHAR, dataset VARCHAR",
    ),
    **{each.table: KeptTable(each.doc, each.grain, _like(each)) for each in DATASETS},
    "unreadable_value": KeptTable(
        "Values that were there and did not fit their column: one row a value; the column is NULL there.",
        (),
        "table_name VARCHAR, column_name VARCHAR, cluster_uid VARCHAR, uid VARCHAR, resource_version VARCHAR,"
        " value VARCHAR",
    ),
    "configured_cluster": KeptTable(
        "Clusters in gitopslab.toml: one row a cluster.",
        ("cluster",),
        "cluster VARCHAR, role VARCHAR, uid VARCHAR",
    ),
    "configured_lane_stage": KeptTable(
        "Lanes in gitopslab.toml: one row a stage, in order.",
        ("lane", "stage_number"),
        "lane VARCHAR, stage_number INTEGER, stage VARCHAR",
    ),
    "configured_environment": KeptTable(
        "Environments in gitopslab.toml: one row an environment.",
        ("environment",),
        "environment VARCHAR, environment_number INTEGER, lane VARCHAR, cluster VARCHAR, branch VARCHAR",
    ),
    "configured_environment_application": KeptTable(
        "Which Applications belong to an environment: one row a pattern (a regular expression on the name).",
        ("environment", "application_pattern"),
        "environment VARCHAR, application_pattern VARCHAR",
    ),
    "configured_environment_pin": KeptTable(
        "Which files say what an environment runs: one row a pattern (a regular expression on the path).",
        ("environment", "path_pattern"),
        "environment VARCHAR, path_pattern VARCHAR",
    ),
    "configured_service": KeptTable(
        "Services in gitopslab.toml: one row a service.", ("service",), "service VARCHAR, repository VARCHAR"
    ),
    "configured_service_pattern": KeptTable(
        "What belongs to a service: one row a pattern on an application, pipeline, image or path.",
        ("service", "kind", "pattern"),
        "service VARCHAR, kind VARCHAR, pattern VARCHAR",
    ),
    "configured_repository": KeptTable(
        "Repositories in gitopslab.toml: one row a repository.",
        ("repository",),
        "repository VARCHAR, url VARCHAR, role VARCHAR",
    ),
    "configured_database": KeptTable(
        "Databases in gitopslab.toml: one row a database.",
        ("database",),
        "database VARCHAR, cluster VARCHAR",
    ),
}

OTHER_DATASETS = tuple(dataset for dataset in DATASETS if dataset is not OBJECT_VERSIONS)
"""Datasets of the lake that become a table as they are, each row once."""


def create(connection: database.Connection) -> None:
    """Create every kept table, empty."""
    for name, table in TABLES.items():
        connection.execute(f"CREATE TABLE {name} ({table.create})")


def configure(connection: database.Connection, settings: Settings) -> None:
    """Fill the `configured_` tables from `settings`, in place of what they held."""
    rows: dict[str, list[tuple[Any, ...]]] = {
        "configured_cluster": [(c.name, c.role, c.uid) for c in settings.clusters],
        "configured_lane_stage": [
            (lane.name, number, stage)
            for lane in settings.lanes
            for number, stage in enumerate(lane.stages, 1)
        ],
        "configured_environment": [
            (e.name, number, e.lane, e.cluster, e.branch) for number, e in enumerate(settings.environments, 1)
        ],
        "configured_environment_application": [
            (e.name, _pattern(glob)) for e in settings.environments for glob in dict.fromkeys(e.applications)
        ],
        "configured_environment_pin": [
            (e.name, _pattern(glob)) for e in settings.environments for glob in dict.fromkeys(e.pins)
        ],
        "configured_service": [(s.name, s.repository) for s in settings.services],
        "configured_service_pattern": [
            (s.name, kind, _pattern(glob))
            for s in settings.services
            for kind, globs in (
                ("application", s.applications),
                ("pipeline", s.pipelines),
                ("image", s.images),
                ("path", s.paths),
            )
            for glob in dict.fromkeys(globs)
        ],
        "configured_repository": [(r.name, r.url, r.role) for r in settings.repositories],
        "configured_database": [(d.name, d.cluster or None) for d in settings.databases],
    }
    for name, values in rows.items():
        connection.execute(f"DELETE FROM {name}")
        if values:
            marks = ", ".join("?" for _ in values[0])
            connection.executemany(f"INSERT INTO {name} VALUES ({marks})", values)


def _pattern(glob: str) -> str:
    """Return a glob as a regular expression that RE2 and Java read alike."""
    return re.sub(r"\(\?s:(.*)\)\\[zZ]$", r"^\1$", fnmatch.translate(glob)).replace("(?>", "(?:")
