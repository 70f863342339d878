"""The lake: append-only zstd Parquet, the record that everything else is derived from.

`raw/<dataset>/cluster=<name>/date=<day>/<run>-<n>.parquet`, or `repository=<name>` and so on, as the
dataset is partitioned. A file is written beside its place, flushed to the disk and renamed, so it is
there whole or not at all; a name is used once, so any number of extractors may append at the same
time; no row is changed or taken away afterwards (`compaction` only moves rows to larger files).
"""

import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gitopslab import database
from gitopslab.datasets import OBJECT_VERSIONS, VERSION_KEY, Dataset
from gitopslab.errors import LakeError
from gitopslab.storage import Storage


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
        self._storage = Storage(url)

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
        found = self._storage.files(f"raw/{dataset.name}/{part}/date={day or '*'}/*.parquet")
        return sorted(LakeFile(path, size_bytes) for path, size_bytes in found.items())

    def full_path(self, path: str) -> str:
        """Return what DuckDB and fsspec call the file at `path` below the lake's folder."""
        return self._storage.full_path(path)

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
            yield self._table(file.path, columns)

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
        self._storage.remove(path)

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
        with self._storage.reading(path) as stream:
            return pq.read_table(stream, columns=columns, partitioning=None)

    def _footer(self, path: str) -> pq.FileMetaData:
        with self._storage.reading(path) as stream:
            return pq.read_metadata(stream)

    def _write_file(self, path: str, rows: pa.Table) -> None:
        if "resource" in rows.schema.names:
            rows = _sorted_by_resource(rows)
        options = {
            "compression": "zstd",
            "compression_level": 1,
            "row_group_size": 16_384,
            "use_dictionary": _dictionary(rows),
        }
        content = pa.BufferOutputStream()
        pq.write_table(rows, content, **options)
        self._storage.write(path, memoryview(content.getvalue()))


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
