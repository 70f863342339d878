"""The lake: append-only zstd Parquet, the record that everything else is derived from.

`raw/<dataset>/cluster=<name>/date=<day>/<run>-<n>.parquet`. A file is written beside its place,
flushed to the disk and renamed, so it is there whole or not at all; a name is used once, so any
number of extractors may append at the same time; nothing is changed or taken away afterwards.
"""

import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gitopslab import database
from gitopslab.errors import LakeError

_TIME = pa.timestamp("us", tz="UTC")
_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Dataset:
    """One kind of row in the lake.

    Attributes:
        name: Its folder under raw/.
        schema: Its columns; `cluster` is always one of them.
        dated_by: The time whose UTC day names the partition.
    """

    name: str
    schema: pa.Schema
    dated_by: str


OBJECT_VERSIONS = Dataset(
    "object_versions",
    pa.schema(
        [
            pa.field("cluster", pa.string(), nullable=False),
            pa.field("cluster_uid", pa.string(), nullable=False),
            pa.field("api_group", pa.string(), nullable=False),
            pa.field("api_version", pa.string(), nullable=False),
            pa.field("resource", pa.string(), nullable=False),
            pa.field("kind", pa.string(), nullable=False),
            pa.field("namespace", pa.string(), nullable=False),
            pa.field("name", pa.string(), nullable=False),
            pa.field("uid", pa.string(), nullable=False),
            pa.field("resource_version", pa.string(), nullable=False),
            pa.field("identity", pa.string(), nullable=False),
            pa.field("event_type", pa.string()),
            pa.field("is_inferred", pa.bool_(), nullable=False),
            pa.field("observed_at", _TIME, nullable=False),
            pa.field("how", pa.string(), nullable=False),
            pa.field("run_id", pa.string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("source_line", pa.int64()),
            pa.field("redaction_count", pa.int32(), nullable=False),
            pa.field("body", pa.string(), nullable=False),
        ]
    ),
    dated_by="observed_at",
)
"""Object versions, one row each: (cluster_uid, resource, uid, resource_version) is the key.

`identity` is `server` where uid and resource_version are the API server's own; where a file lacks
one it is `content`: the uid is then made of namespace and name, the version of a hash of the body.
"""

EXTRACT_RUNS = Dataset(
    "extract_runs",
    pa.schema(
        [
            pa.field("cluster", pa.string(), nullable=False),
            pa.field("run_id", pa.string(), nullable=False),
            pa.field("extractor", pa.string(), nullable=False),
            pa.field("state", pa.string(), nullable=False),
            pa.field("noted_at", _TIME, nullable=False),
            pa.field("gitopslab_version", pa.string(), nullable=False),
            pa.field("object_count", pa.int64(), nullable=False),
            pa.field("landed_count", pa.int64(), nullable=False),
            pa.field("known_count", pa.int64(), nullable=False),
            pa.field("reject_count", pa.int64(), nullable=False),
            pa.field("refused_secret_count", pa.int64(), nullable=False),
            pa.field("redaction_count", pa.int64(), nullable=False),
            pa.field("message", pa.string(), nullable=False),
        ]
    ),
    dated_by="noted_at",
)
"""Extract runs: a row when one starts and a row when it ends; one without an end was cut off."""

COVERAGE = Dataset(
    "coverage",
    pa.schema(
        [
            pa.field("cluster", pa.string(), nullable=False),
            pa.field("cluster_uid", pa.string(), nullable=False),
            pa.field("run_id", pa.string(), nullable=False),
            pa.field("api_group", pa.string(), nullable=False),
            pa.field("resource", pa.string(), nullable=False),
            pa.field("state", pa.string(), nullable=False),
            pa.field("since", _TIME, nullable=False),
            pa.field("until", _TIME, nullable=False),
            pa.field("object_count", pa.int64()),
            pa.field("source", pa.string(), nullable=False),
            pa.field("message", pa.string(), nullable=False),
        ]
    ),
    dated_by="until",
)
"""Coverage: what was looked at, how (`file`, `list`, `watch`), and what was missed (`gap`, `refused`)."""

REJECTS = Dataset(
    "rejects",
    pa.schema(
        [
            pa.field("cluster", pa.string(), nullable=False),
            pa.field("run_id", pa.string(), nullable=False),
            pa.field("reject_id", pa.string(), nullable=False),
            pa.field("rejected_at", _TIME, nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("source_line", pa.int64()),
            pa.field("reason", pa.string(), nullable=False),
            pa.field("message", pa.string(), nullable=False),
            pa.field("excerpt", pa.string(), nullable=False),
        ]
    ),
    dated_by="rejected_at",
)
"""Rejects: what could not be read, with the reason and its text (redacted), one row a piece."""

LANDED_FILES = Dataset(
    "landed_files",
    pa.schema(
        [
            pa.field("cluster", pa.string(), nullable=False),
            pa.field("run_id", pa.string(), nullable=False),
            pa.field("landed_at", _TIME, nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("size_bytes", pa.int64(), nullable=False),
            pa.field("sha256", pa.string(), nullable=False),
            pa.field("object_count", pa.int64(), nullable=False),
            pa.field("reject_count", pa.int64(), nullable=False),
        ]
    ),
    dated_by="landed_at",
)
"""Landed files: each input file that was read to its end; the same content is not read again."""

DATASETS = (OBJECT_VERSIONS, EXTRACT_RUNS, COVERAGE, REJECTS, LANDED_FILES)
VERSION_KEY = ("cluster_uid", "resource", "uid", "resource_version")


class LakeFile(NamedTuple):
    """A finished file of the lake: its path below the lake's folder, and its size."""

    path: str
    size_bytes: int


def new_run_id(now: datetime | None = None) -> str:
    """Return a name for an extract run: when it began, and eight hex digits nobody else drew."""
    return f"{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


class Lake:
    """A lake in a folder or behind any fsspec URL.

    Args:
        url: Folder or URL; it need not exist before the first write.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._filesystem, self._root = fsspec.core.url_to_fs(url)
        self._is_local = "file" in self._filesystem.protocol

    def write(self, dataset: Dataset, rows: pa.Table, run_id: str) -> list[str]:
        """Append `rows`, one file a cluster and day, and return the files' paths once they are durable.

        Rows are sorted by resource, so that a reader of one kind can pass over the others.

        Raises:
            LakeError: A row lacks a column, or a value does not fit its type.
        """
        try:
            rows = rows.select(dataset.schema.names).cast(dataset.schema)
        except (KeyError, pa.ArrowInvalid) as error:
            raise LakeError(f"{self.url}: {dataset.name}: {error}") from error
        days = rows[dataset.dated_by].cast(pa.date32())
        partitions = rows.select(["cluster"]).append_column("day", days)
        written = []
        for part in (
            partitions.group_by(["cluster", "day"])
            .aggregate([])
            .sort_by([("cluster", "ascending"), ("day", "ascending")])
            .to_pylist()
        ):
            chosen = pc.and_(pc.equal(rows["cluster"], part["cluster"]), pc.equal(days, part["day"]))
            subset = rows if pc.all(chosen).as_py() else rows.filter(chosen)
            folder = f"raw/{dataset.name}/cluster={quote(part['cluster'], safe='')}/date={part['day']}"
            path = f"{folder}/{run_id}-{secrets.token_hex(4)}.parquet"
            self._write_file(path, subset)
            written.append(path)
        return written

    def append(self, dataset: Dataset, rows: Iterable[dict[str, Any]], run_id: str) -> list[str]:
        """Append a few rows given as dictionaries; nothing is written for none."""
        table = pa.Table.from_pylist(list(rows), schema=dataset.schema)
        return self.write(dataset, table, run_id) if len(table) else []

    def files(self, dataset: Dataset, cluster: str | None = None) -> list[LakeFile]:
        """Return the finished files of `dataset` in path order, of one cluster if named."""
        part = f"cluster={quote(cluster, safe='')}" if cluster is not None else "cluster=*"
        pattern = f"{self._root}/raw/{dataset.name}/{part}/date=*/*.parquet"
        found = self._filesystem.glob(pattern, detail=True)
        return sorted(
            LakeFile(str(PurePosixPath(path).relative_to(PurePosixPath(self._root))), int(info["size"]))
            for path, info in found.items()
        )

    def full_path(self, path: str) -> str:
        """Return what DuckDB and fsspec call the file at `path` below the lake's folder."""
        return (
            self._filesystem.unstrip_protocol(f"{self._root}/{path}")
            if not self._is_local
            else f"{self._root}/{path}"
        )

    def read(self, dataset: Dataset, columns: list[str], cluster: str | None = None) -> Iterator[pa.Table]:
        """Yield the finished files of `dataset` as tables of `columns`, one after another."""
        for file in self.files(dataset, cluster):
            with self._filesystem.open(f"{self._root}/{file.path}", "rb") as stream:
                yield pq.read_table(stream, columns=columns, partitioning=None)

    def known_versions(self, connection: database.Connection, cluster: str) -> None:
        """Fill the table `known_version` of `connection` with the keys landed for `cluster`."""
        key = ", ".join(VERSION_KEY)
        connection.execute(
            f"CREATE OR REPLACE TABLE known_version ({', '.join(f'{k} VARCHAR' for k in VERSION_KEY)})"
        )
        if files := [self.full_path(file.path) for file in self.files(OBJECT_VERSIONS, cluster)]:
            database.serve_filesystem(connection, self.url)
            connection.execute(
                f"INSERT INTO known_version SELECT DISTINCT {key}"
                " FROM read_parquet($files, hive_partitioning = false)",
                {"files": files},
            )

    def _write_file(self, path: str, rows: pa.Table) -> None:
        if "resource" in rows.schema.names:
            rows = _sorted_by_resource(rows)
        target = f"{self._root}/{path}"
        self._filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
        options = {
            "compression": "zstd",
            "compression_level": 1,
            "row_group_size": 16_384,
            "use_dictionary": _dictionary(rows),
        }
        if not self._is_local:
            # Object storage shows a key only when its upload is complete, so there is nothing to rename.
            with self._filesystem.open(target, "wb") as stream:
                pq.write_table(rows, stream, **options)
            return
        with open(target + _UNFINISHED, "xb") as stream:  # noqa: PTH123 - a name, not a Path, is at hand
            pq.write_table(rows, stream, **options)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(target + _UNFINISHED, target)  # noqa: PTH104 - as above
        _sync_folder(target.rpartition("/")[0])


def _sorted_by_resource(rows: pa.Table) -> pa.Table:
    if pc.count_distinct(rows["resource"]).as_py() == 1:
        return rows
    order = pc.sort_indices(
        rows.select(["api_group", "resource"]), [("api_group", "ascending"), ("resource", "ascending")]
    )
    return rows.take(order)


def _dictionary(rows: pa.Table) -> list[str]:
    return [
        field.name
        for field in rows.schema
        if pa.types.is_string(field.type) and field.name not in {"body", "resource_version"}
    ]


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
