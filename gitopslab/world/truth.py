"""The truth about a simulated fleet: append-only Parquet tables that estimates are scored against."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

Value = str | int | float | bool | datetime | None

_TIME = pa.timestamp("us", tz="UTC")
_BATCH_ROWS = 20_000


@dataclass(frozen=True)
class TruthTable:
    """One table of the truth.

    Attributes:
        name: Its file, without `.parquet`.
        about: What one row is.
        columns: Names and types; a column that is not always known is NULL where it is not.
    """

    name: str
    about: str
    columns: tuple[tuple[str, pa.DataType], ...]

    @property
    def schema(self) -> pa.Schema:
        """The schema of its file; `about` is kept in it."""
        return pa.schema(self.columns, metadata={"about": self.about})


CHANGE = TruthTable(
    "change",
    "One commit on the main branch of a repository.",
    (
        ("change_id", pa.string()),  # the commit's sha
        ("repository", pa.string()),
        ("service", pa.string()),  # NULL: it touches none
        ("kind", pa.string()),  # code, revert, dependency, documentation, config
        ("merge_method", pa.string()),  # squash, rebase, direct
        ("pull_request", pa.string()),
        ("reverts", pa.string()),  # change_id
        ("author", pa.string()),
        ("authored_at", _TIME),
        ("committed_at", _TIME),
        ("build_state", pa.string()),  # succeeded, failed, covered (by a later one), none, running
        ("pipeline_run", pa.string()),
        ("build_started_at", _TIME),
        ("build_finished_at", _TIME),
        ("image_digest", pa.string()),
        ("is_bad", pa.bool_()),  # its release does not become healthy
    ),
)

CHANGE_ENVIRONMENT = TruthTable(
    "change_environment",
    "One change in one environment it is meant for: when it passed each stage there for the first time, "
    "by itself or contained in a later change.",
    (
        ("change_id", pa.string()),
        ("service", pa.string()),
        ("environment", pa.string()),
        ("lane", pa.string()),
        ("state", pa.string()),  # live, open (at the end of the world or of the environment)
        ("is_superseded", pa.bool_()),  # live only as part of a later change
        ("pinned_at", _TIME),  # committed to the config repository
        ("dry_sha", pa.string()),
        ("hydrated_at", _TIME),
        ("hydrated_sha", pa.string()),
        ("merged_at", _TIME),  # into the environment's active branch
        ("merge_sha", pa.string()),
        ("sync_started_at", _TIME),  # first attempt of the operation that succeeded
        ("synced_at", _TIME),
        ("healthy_at", _TIME),
        ("sync_revision", pa.string()),
        ("delivered_by_sha", pa.string()),  # change_id that the release it became healthy with was made from
    ),
)

PROMOTION = TruthTable(
    "promotion",
    "One commit that moved the active branch of an environment, the branch's first ones among them.",
    (
        ("environment", pa.string()),
        ("merge_sha", pa.string()),
        ("hydrated_sha", pa.string()),  # NULL: the branch's first commit, which holds nothing
        ("dry_sha", pa.string()),
        ("merged_at", _TIME),
    ),
)

WATCH_GAP = TruthTable(
    "watch_gap",
    "One time in which the watcher of a cluster saw nothing.",
    (("cluster", pa.string()), ("since", _TIME), ("until", _TIME), ("reason", pa.string())),
)

INCIDENT = TruthTable(
    "incident",
    "One thing that went wrong, or that only looks so, with its cause.",
    (
        ("incident_id", pa.string()),
        ("kind", pa.string()),  # the signature's key in the catalogue
        ("class", pa.string()),  # fault, benign, latency
        ("is_benign", pa.bool_()),
        ("cluster", pa.string()),
        ("environment", pa.string()),
        ("service", pa.string()),
        ("object", pa.string()),  # kind/namespace/name it shows on first
        ("cause", pa.string()),
        ("cause_kind", pa.string()),  # change, platform, person, design: it is meant to be so
        ("cause_change_id", pa.string()),  # NULL: its cause is no change
        ("started_at", _TIME),
        ("ended_at", _TIME),  # NULL: not at the end of the world
    ),
)

INCIDENT_EFFECT = TruthTable(
    "incident_effect",
    "One object that an incident affects.",
    (
        ("incident_id", pa.string()),
        ("cluster", pa.string()),
        ("kind", pa.string()),
        ("namespace", pa.string()),
        ("name", pa.string()),
        ("uid", pa.string()),
    ),
)


class Truth:
    """Writes tables of the truth into a folder, in batches.

    Args:
        folder: Where `<table>.parquet` goes; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._rows: dict[str, list[dict[str, Value]]] = {}
        self._writers: dict[str, pq.ParquetWriter] = {}

    def add(self, table: TruthTable, row: dict[str, Value]) -> None:
        """Add a row; its keys are columns of `table`, and columns left out are NULL."""
        self.open(table)
        rows = self._rows[table.name]
        rows.append(row)
        if len(rows) == _BATCH_ROWS:
            self._flush(table.name)

    def open(self, table: TruthTable) -> None:
        """Make the file of `table`, so that it is there even if it has no row."""
        if table.name not in self._writers:
            path = self._folder / f"{table.name}.parquet"
            self._writers[table.name] = pq.ParquetWriter(path, table.schema, compression="zstd")
            self._rows[table.name] = []

    def close(self) -> None:
        """Write what is left, and close the files."""
        for name in self._writers:
            self._flush(name)
            self._writers[name].close()
        self._writers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _flush(self, name: str) -> None:
        writer = self._writers[name]
        if rows := self._rows[name]:
            writer.write_table(pa.Table.from_pylist(rows, schema=writer.schema))
        self._rows[name] = []
