"""The lake: append-only zstd Parquet, the record that everything else is derived from.

`raw/<dataset>/cluster=<name>/date=<day>/<run>-<n>.parquet`, or `repository=<name>` and so on, as the
dataset is partitioned. A file is written beside its place, flushed to the disk and renamed, so it is
there whole or not at all; a name is used once, so any number of extractors may append at the same
time; no row is changed or taken away afterwards (`compaction` only moves rows to larger files).
"""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gitopslab import database
from gitopslab.datasets import OBJECT_VERSIONS, VERSION_KEY, Dataset
from gitopslab.errors import LakeError

_UNFINISHED = ".unfinished"


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
        """Append `rows`, one file a partition and day, and return the files' paths once they are durable.

        Rows are sorted by resource, so that a reader of one kind can pass over the others.

        Raises:
            LakeError: A row lacks a column, or a value does not fit its type.
        """
        try:
            rows = rows.select(dataset.schema.names).cast(dataset.schema)
        except (KeyError, pa.ArrowInvalid) as error:
            raise LakeError(f"{self.url}: {dataset.name}: {error}") from error
        days = rows[dataset.dated_by].cast(pa.date32())
        by = dataset.partitioned_by
        partitions = rows.select([by]).append_column("day", days)
        written = []
        for part in (
            partitions.group_by([by, "day"])
            .aggregate([])
            .sort_by([(by, "ascending"), ("day", "ascending")])
            .to_pylist()
        ):
            chosen = pc.and_(pc.equal(rows[by], part[by]), pc.equal(days, part["day"]))
            subset = rows if pc.all(chosen).as_py() else rows.filter(chosen)
            folder = f"raw/{dataset.name}/{by}={quote(part[by], safe='')}/date={part['day']}"
            path = f"{folder}/{run_id}-{secrets.token_hex(4)}.parquet"
            self._write_file(path, subset)
            written.append(path)
        return written

    def append(self, dataset: Dataset, rows: Iterable[dict[str, Any]], run_id: str) -> list[str]:
        """Append a few rows given as dictionaries; nothing is written for none."""
        table = pa.Table.from_pylist(list(rows), schema=dataset.schema)
        return self.write(dataset, table, run_id) if len(table) else []

    def files(self, dataset: Dataset, part: str | None = None, day: str | None = None) -> list[LakeFile]:
        """Return the finished files of `dataset` in path order, of one cluster (or repository …) and day."""
        part = f"{dataset.partitioned_by}={'*' if part is None else quote(part, safe='')}"
        pattern = f"{self._root}/raw/{dataset.name}/{part}/date={day or '*'}/*.parquet"
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

    def read(
        self, dataset: Dataset, columns: list[str], part: str | None = None, *, day: str | None = None
    ) -> Iterator[pa.Table]:
        """Yield the finished files of `dataset` as tables of `columns`, one after another.

        Args:
            dataset: Whose files.
            columns: Which of its columns.
            part: Of one cluster (or repository …) only.
            day: Of one day only, such as 2026-05-01.
        """
        for file in self.files(dataset, part, day):
            with self._filesystem.open(f"{self._root}/{file.path}", "rb") as stream:
                yield pq.read_table(stream, columns=columns, partitioning=None)

    def metadata(self, path: str) -> dict[str, str]:
        """Return what was written beside the rows of the file at `path`."""
        found = self._footer(path).metadata or {}
        return {key.decode(): value.decode() for key, value in found.items()}

    def plain_bytes(self, path: str) -> int:
        """Return how many bytes the rows of the file at `path` are before they were compressed."""
        footer = self._footer(path)
        return sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))

    def merge(self, dataset: Dataset, paths: list[str], into: str, metadata: dict[str, str]) -> None:
        """Write the rows of the files at `paths` into one more, at `into`, and return once it is durable."""
        tables = [self._table(path, dataset.schema.names) for path in paths]
        rows = pa.concat_tables(table.cast(dataset.schema) for table in tables)
        self._write_file(into, rows.replace_schema_metadata(metadata))

    def remove(self, path: str) -> None:
        """Remove the file at `path`, whose rows another file holds; that it is gone already is no error."""
        with suppress(FileNotFoundError):
            self._filesystem.rm_file(f"{self._root}/{path}")

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

    def _table(self, path: str, columns: list[str]) -> pa.Table:
        with self._filesystem.open(f"{self._root}/{path}", "rb") as stream:
            return pq.read_table(stream, columns=columns, partitioning=None)

    def _footer(self, path: str) -> pq.FileMetaData:
        with self._filesystem.open(f"{self._root}/{path}", "rb") as stream:
            return pq.read_metadata(stream)

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
    """Return the columns of text whose values repeat; for others a dictionary takes twice the time."""
    sample = rows.slice(0, 4_096)
    return [
        field.name
        for field in rows.schema
        if pa.types.is_string(field.type)
        and field.name not in {"body", "resource_version"}
        and pc.count_distinct(sample[field.name]).as_py() <= max(len(sample) // 2, 1)
    ]


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
